"""What `inkguard localize` refuses: one clear line, exit code 2, no traceback."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from inkguard.cli.main import main
from inkguard.draw.load import load_pipeline, model_folder
from inkguard.edit.cross_attention import cross_attention_sites
from inkguard.errors import ModelError, UnsupportedModel
from inkguard.localize.patch import text_sites
from inkguard.verify import default_reader
from training import sdxl
from training.spelling_clip import new_spelling_clip, spelling_clip_tokenizer


def error_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> str:
    """What the command prints on standard error; it must end with exit code 2."""
    monkeypatch.setattr(sys, "argv", ["inkguard", "localize", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return error


def test_a_bad_prompts_file_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """File and line, before anything is drawn."""
    file = tmp_path / "words.txt"
    file.write_text("good\ntwo words\n")
    error = error_of(monkeypatch, capsys, "--out", tmp_path / "o", "--prompts", file)
    assert f"{file}:2: several words" in error
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--model", "no-such-model"], "neither an embedded model"),
        (["--device", "warp"], "cannot compute on 'warp'"),
        (["--dtype", "int8"], "is not one of"),
        (["--sites", "4,x"], "--sites: expected whole numbers"),
        (["--sites", "8"], "sites are 0 to 7"),
        (["--start-steps", "20"], "20 is beyond the 20 steps"),
        (["--install"], "have their manifests already"),
        (["--height", "65"], "height: must be a multiple of 8"),
    ],
)
def test_options_that_cannot_be(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    wrong: str,
) -> None:
    """The error names the option and what it may be; nothing is written."""
    error = error_of(monkeypatch, capsys, "--out", tmp_path / "o", *arguments)
    assert wrong in error
    assert not (tmp_path / "o").exists()


def test_missing_ocr_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With the package's import blocked, the error names the extra."""
    default_reader.cache_clear()
    monkeypatch.setitem(sys.modules, "rapidocr_onnxruntime", None)
    assert "inkguard[ocr]" in error_of(monkeypatch, capsys, "--out", tmp_path)


def test_missing_plots_are_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With the package's import blocked, the error names it and the extra."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    error = error_of(monkeypatch, capsys, "--out", tmp_path)
    assert "needs jinja2" in error
    assert "inkguard[measure]" in error


def test_a_model_without_text_attention_has_nothing_to_localize() -> None:
    """A U-Net of convolutions alone."""
    unet = UNet2DConditionModel(
        sample_size=8,
        down_block_types=("DownBlock2D",),
        mid_block_type=None,
        up_block_types=("UpBlock2D",),
        block_out_channels=(32,),
        layers_per_block=1,
        cross_attention_dim=8,
    )
    with pytest.raises(UnsupportedModel, match="no attention in which the picture reads text"):
        text_sites(unet, cross_attention_sites(unet))


def test_sites_of_a_unet_are_numbered_as_they_run() -> None:
    """Down, mid, up, as `cross_attention_sites` has them."""
    unet = sdxl.new_unet()
    sites = text_sites(unet, cross_attention_sites(unet))
    assert [s.number for s in sites] == list(range(len(sites)))
    assert [s.module for s in sites] == [name for name, _ in cross_attention_sites(unet)]
    assert all(s.parameters > 0 for s in sites)


def save_sdxl(unet: UNet2DConditionModel, folder: Path) -> None:
    """An SDXL pipeline with untrained text encoders."""
    torch.manual_seed(0)
    tokenizer = spelling_clip_tokenizer()
    clips = tuple(new_spelling_clip(tokenizer).eval() for _ in range(2))
    vae = AutoencoderKL.from_pretrained(model_folder("sd3-tiny") / "vae")
    text = sdxl.TextEncoders(clips=(clips[0], clips[1]), tokenizer=tokenizer)
    sdxl.assemble(unet.eval(), vae.float(), text).save_pretrained(folder)


def test_a_pipeline_whose_denoiser_reads_no_text_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Before anything is drawn or written."""
    made = {k: v for k, v in sdxl.new_unet().config.items() if not k.startswith("_")}
    made |= {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2}
    unet = UNet2DConditionModel(**{**made, "mid_block_type": None})
    save_sdxl(unet, tmp_path / "model")
    error = error_of(monkeypatch, capsys, "--out", tmp_path / "o", "--model", tmp_path / "model")
    assert "no attention in which the picture reads text" in error
    assert not (tmp_path / "o").exists()


def test_a_model_that_draws_no_text_ends_early(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """An SDXL pipeline with random weights: two patches are drawn, then the error says why."""
    torch.manual_seed(0)
    save_sdxl(sdxl.new_unet(), tmp_path / "model")
    size = ("--height", 64, "--width", 96, "--steps", 1, "--threads", 1)
    where = ("--out", tmp_path / "o", "--model", tmp_path / "model", "--pairs", 1)
    error = error_of(monkeypatch, capsys, *where, *size)
    assert "no text that OCR reads" in error
    assert len((tmp_path / "o" / "results.jsonl").read_text().splitlines()) == 3


def test_a_pipeline_of_another_class_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The error says why, and where those stand that are supported."""
    from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

    unet = UNet2DModel(
        sample_size=8,
        block_out_channels=(32,),
        layers_per_block=1,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
    )
    DDPMPipeline(unet, DDPMScheduler()).save_pretrained(tmp_path / "model")
    error = error_of(monkeypatch, capsys, "--out", tmp_path / "o", "--model", tmp_path / "model")
    assert "DDPMPipeline is not supported" in error
    assert "takes no prompt" in error
    assert "docs/reference/families.md" in error


def test_a_hub_name_without_a_network_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """ORG/NAME is looked for on the hub by this command only; tests are offline."""
    name = "no-such-organisation-inkguard/no-such-model"
    error = error_of(monkeypatch, capsys, "--out", tmp_path / "o", "--model", name)
    assert "cannot be had from the model hub" in error
    with pytest.raises(ModelError, match="neither an embedded model"):
        load_pipeline(name)


def test_an_existing_folder_is_never_a_hub_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """org/name that is a folder without a model is an error about that folder."""
    (tmp_path / "org" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="neither an embedded model"):
        load_pipeline("org/name", hub=True)
