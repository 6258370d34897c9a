"""The training command, from finished models."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from inkguard.draw.load import model_folder
from training import train

UNET = "unet/diffusion_pytorch_model.safetensors"


def _train(
    monkeypatch: pytest.MonkeyPatch, name: str, *options: str, start: Path | None = None
) -> None:
    threads, folder = str(torch.get_num_threads()), str(start or model_folder(name))
    arguments = [name, "--start-from", folder, "--threads", threads, *options]
    monkeypatch.setattr(sys, "argv", ["train", *arguments])
    # Training replaces this on a CPU: put it back for the tests that follow.
    monkeypatch.setattr(F, "scaled_dot_product_attention", F.scaled_dot_product_attention)
    train.main()


@pytest.mark.parametrize(
    ("name", "encoder", "predicts"),
    [
        ("sdxl-tiny", "text_encoder_2", None),
        ("if-tiny", "text_encoder", None),
        ("if-tiny", "text_encoder", "velocity"),
        ("if-tiny", "text_encoder", "sample"),
    ],
)
def test_a_finished_model_is_trained_on(
    name: str,
    encoder: str,
    predicts: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One step moves its U-Net a little and nothing else of it; a new prediction turns its output."""
    out = tmp_path / "out"
    options = ["--pictures", "64", "--denoiser-steps", "1", "--device", "cpu"]
    options += ["--work", str(tmp_path / "work"), "--out", str(out)]
    _train(monkeypatch, name, *options, *(["--predicts", predicts] if predicts else []))
    before, after = (load_file(folder / UNET) for folder in (model_folder(name), out))
    trained, scheduled = (_prediction_type(folder) for folder in (model_folder(name), out))
    assert scheduled == {None: trained, "velocity": "v_prediction", "sample": "sample"}[predicts]
    if scheduled != trained:
        before |= {key: -value for key, value in before.items() if key.startswith("conv_out.")}
    moved = max((after[key].float() - before[key].float()).abs().max() for key in before)
    assert 0 < moved < 0.05
    assert not [file for file in out.rglob("*.json") if "_name_or_path" in file.read_text()]
    weights = f"{encoder}/model.safetensors"
    kept, found = (load_file(folder / weights) for folder in (model_folder(name), out))
    assert all(torch.equal(kept[key], found[key]) for key in kept)


def _prediction_type(folder: Path) -> str:
    config = json.loads((folder / "scheduler/scheduler_config.json").read_text())
    return str(config["prediction_type"])


def test_a_folder_that_holds_no_such_model_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error says what was found, and nothing is made in the folder or beside it."""
    for start, said in (
        (tmp_path / "nothing", "nor a folder with a model_index.json"),
        (model_folder("if-tiny"), "holds a IFPipeline; sdxl-tiny is a StableDiffusionXLPipeline"),
    ):
        with pytest.raises(SystemExit):
            _train(monkeypatch, "sdxl-tiny", "--work", str(tmp_path / "work"), start=start)
        assert said in capsys.readouterr().err
        assert not list(tmp_path.iterdir())


def test_only_if_tiny_predicts_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another model is refused before anything is made."""
    with pytest.raises(SystemExit):
        _train(monkeypatch, "sdxl-tiny", "--predicts", "sample", "--work", str(tmp_path / "work"))
    assert "--predicts is if-tiny's" in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


def test_sd3_tiny_is_not_started_from_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its denoiser is no U-Net; the error says how it goes on."""
    with pytest.raises(SystemExit):
        _train(monkeypatch, "sd3-tiny", "--work", str(tmp_path))
    assert "goes on from its --work folder" in capsys.readouterr().err
