"""Manifests fit their models, or say why not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from diffusers import SD3Transformer2DModel

from guard.errors import ManifestError, UnsupportedModel
from guard.generate.load import model_folder
from guard.substitute.manifest import (
    FILE_NAME,
    digest_weights,
    find_manifest,
    load_manifest,
    shipped_manifests,
)


@pytest.fixture(scope="module")
def denoiser() -> SD3Transformer2DModel:
    return SD3Transformer2DModel.from_pretrained(model_folder("sd3-tiny"), subfolder="transformer")


def test_the_embedded_model_has_its_manifest(denoiser: SD3Transformer2DModel) -> None:
    """The shipped manifest of sd3-tiny is found, with the digest of the shipped weights."""
    folder = model_folder("sd3-tiny")
    manifest = find_manifest(denoiser, folder)
    assert manifest.name == "sd3-tiny"
    assert manifest.weights_digest == digest_weights(folder)
    assert manifest.evidence


def test_a_model_without_a_manifest_is_refused() -> None:
    """Other widths mean another model: the error says what to do."""
    other = SD3Transformer2DModel(sample_size=8, num_layers=1, num_attention_heads=1)
    with pytest.raises(UnsupportedModel, match=FILE_NAME):
        find_manifest(other, None)


def test_a_folders_manifest_that_does_not_fit_names_the_difference(
    tmp_path: Path, denoiser: SD3Transformer2DModel
) -> None:
    """The field, what was found and what the manifest says are in the error."""
    data = yaml.safe_load(shipped_manifests()[0].read_text())
    data["model"]["config"]["num_layers"] = 9
    (tmp_path / FILE_NAME).write_text(yaml.safe_dump(data))
    with pytest.raises(ManifestError, match="num_layers is 8, the manifest says 9"):
        find_manifest(denoiser, tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[]", "format: 1", "format: 2", "a: [", "format: 1\nname: x\nmodel: 3"]
)
def test_broken_manifests_are_refused_with_their_file(tmp_path: Path, text: str) -> None:
    """Whatever is wrong, the error begins with the file's name."""
    path = tmp_path / "m.yaml"
    path.write_text(text)
    with pytest.raises(ManifestError, match=r"m\.yaml"):
        load_manifest(path)
