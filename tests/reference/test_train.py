"""The training command, from finished models."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from guard.generate.load import model_folder
from guard.reference import train

UNET = "unet/diffusion_pytorch_model.safetensors"


def _train(monkeypatch: pytest.MonkeyPatch, name: str, *options: str) -> None:
    threads = str(torch.get_num_threads())
    arguments = [name, "--start-from", str(model_folder(name)), "--threads", threads, *options]
    monkeypatch.setattr(sys, "argv", ["train", *arguments])
    # Training replaces this on a CPU: put it back for the tests that follow.
    monkeypatch.setattr(F, "scaled_dot_product_attention", F.scaled_dot_product_attention)
    train.main()


@pytest.mark.parametrize(
    ("name", "encoder", "predicts", "scheduled"),
    [
        ("sdxl-tiny", "text_encoder_2", "velocity", "v_prediction"),
        ("if-tiny", "text_encoder", "velocity", "v_prediction"),
        ("if-tiny", "text_encoder", "sample", "sample"),
    ],
)
def test_a_finished_model_is_trained_on(
    name: str,
    encoder: str,
    predicts: str,
    scheduled: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One step moves its U-Net a little and nothing else of it; a new prediction turns its output."""
    options = ("--pictures", "64", "--denoiser-steps", "1", "--device", "cpu")
    out = tmp_path / "out"
    folders = ("--work", str(tmp_path / "work"), "--out", str(out))
    _train(monkeypatch, name, "--predicts", predicts, *folders, *options)
    before, after = (load_file(folder / UNET) for folder in (model_folder(name), out))
    if predicts == "sample":
        before |= {key: -value for key, value in before.items() if key.startswith("conv_out.")}
    scheduler = json.loads((out / "scheduler/scheduler_config.json").read_text())
    assert scheduler["prediction_type"] == scheduled
    moved = max((after[key].float() - before[key].float()).abs().max() for key in before)
    assert 0 < moved < 0.05
    weights = f"{encoder}/model.safetensors"
    kept, found = (load_file(folder / weights) for folder in (model_folder(name), out))
    assert all(torch.equal(kept[key], found[key]) for key in kept)


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
