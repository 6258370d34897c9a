"""Manifests fit their models, or say why not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from diffusers import SD3Transformer2DModel

from inkguard.draw.guarded_pipeline import wrap
from inkguard.draw.load import load_pipeline, model_folder
from inkguard.errors import ManifestError, UnsupportedModel
from inkguard.families.sd3.edit import Sd3Shadow
from inkguard.guard import Guard
from inkguard.manifests.manifest import (
    FILE_NAME,
    choose_manifest,
    digest_weights,
    find_manifest,
    load_manifest,
    shipped_manifests,
)
from inkguard.policy.load import load_policy
from inkguard_server.engines.local import _load
from inkguard_server.settings import ModelSettings, Settings


@pytest.fixture(scope="module")
def denoiser() -> SD3Transformer2DModel:
    return SD3Transformer2DModel.from_pretrained(model_folder("sd3-tiny"), subfolder="transformer")


def names(denoiser: SD3Transformer2DModel) -> list[str]:
    return [name for name, _ in Sd3Shadow.sites_of(denoiser)]


def sd3_tiny() -> dict[str, Any]:
    """The contents of the shipped manifest of sd3-tiny."""
    (path,) = (path for path in shipped_manifests() if path.stem == "sd3-tiny")
    data: dict[str, Any] = yaml.safe_load(path.read_text())
    return data


def test_the_embedded_model_has_its_manifest(denoiser: SD3Transformer2DModel) -> None:
    """The shipped manifest of sd3-tiny is found, with the digest of the shipped weights."""
    folder = model_folder("sd3-tiny")
    manifest = find_manifest(denoiser, names(denoiser), folder)
    assert manifest.name == "sd3-tiny"
    assert manifest.weights_digest == digest_weights(folder)
    assert manifest.evidence


def test_a_model_without_a_manifest_is_refused() -> None:
    """Other widths mean another model: the error says what to do."""
    other = SD3Transformer2DModel(sample_size=8, num_layers=1, num_attention_heads=1)
    with pytest.raises(UnsupportedModel, match=FILE_NAME):
        find_manifest(other, names(other), None)


@pytest.mark.parametrize("reached", [True, False, None])
def test_a_manifest_that_missed_its_goal_is_taken_only_where_that_is_said(
    tmp_path: Path, denoiser: SD3Transformer2DModel, reached: bool | None
) -> None:
    """Found in the model's folder or given; one that says nothing of a goal missed none. No fallback hides it."""
    data = sd3_tiny()
    data["model"]["weights_digest"] = None
    data["evidence"].pop("reached")
    if reached is not None:
        data["evidence"]["reached"] = reached
    (tmp_path / FILE_NAME).write_text(yaml.safe_dump(data))
    manifest = load_manifest(tmp_path / FILE_NAME)
    for given in (None, manifest):
        options: dict[str, Any] = {"given": given}
        assert (
            choose_manifest(denoiser, names(denoiser), tmp_path, **options, unreached=True)
            == manifest
        )
        if reached is False:
            for fallback in (False, True):
                with pytest.raises(ManifestError, match="`reached: false`"):
                    choose_manifest(
                        denoiser, names(denoiser), tmp_path, **options, fallback=fallback
                    )
        else:
            assert choose_manifest(denoiser, names(denoiser), tmp_path, **options) == manifest


def test_every_way_to_a_model_asks_for_a_manifest_that_reached_its_goal(tmp_path: Path) -> None:
    """`wrap`, `Guard.load` and the server refuse it, and take it where they are told to."""
    folder = tmp_path / "model"
    shutil.copytree(model_folder("sd3-tiny"), folder)
    data = sd3_tiny()
    data["evidence"]["reached"] = False
    (folder / FILE_NAME).write_text(yaml.safe_dump(data))
    policy = replace(load_policy(), verify=False, detoxify={})
    pipe, _ = load_pipeline(folder)
    ways: list[Callable[[bool], Any]] = [
        lambda told: wrap(pipe, policy=policy, folder=folder, unreached=told),
        lambda told: Guard.load(folder, policy, unreached=told),
        lambda told: _load(ModelSettings(path=str(folder), unreached=told), Settings()),
    ]
    for way in ways:
        with pytest.raises(ManifestError, match="`reached: false`"):
            way(False)
        way(True)


def test_a_model_without_a_manifest_is_drawn_by_swap_where_that_is_said() -> None:
    """`fallback` stands for a manifest that is not there, and for nothing else."""
    other = SD3Transformer2DModel(sample_size=8, num_layers=1, num_attention_heads=1)
    assert choose_manifest(other, names(other), None, fallback=True) is None
    with pytest.raises(UnsupportedModel):
        choose_manifest(other, names(other), None)


def test_a_folders_manifest_that_does_not_fit_names_the_difference(
    tmp_path: Path, denoiser: SD3Transformer2DModel
) -> None:
    """The field, what was found and what the manifest says are in the error."""
    data = sd3_tiny()
    data["model"]["config"]["num_layers"] = 9
    (tmp_path / FILE_NAME).write_text(yaml.safe_dump(data))
    with pytest.raises(ManifestError, match="num_layers is 8, the manifest says 9"):
        find_manifest(denoiser, names(denoiser), tmp_path)


@pytest.mark.parametrize(
    ("sites", "modules", "difference"),
    [
        (
            [4],
            ["transformer_blocks.5.attn"],
            r"site 4 is transformer_blocks\.4\.attn, the manifest",
        ),
        ([8], ["transformer_blocks.8.attn"], "there is no site 8: the model has sites 0 to 7"),
        ([3, 4], ["transformer_blocks.3.attn"], "2 sites, but 1 modules"),
    ],
)
def test_sites_and_modules_must_agree(
    tmp_path: Path,
    denoiser: SD3Transformer2DModel,
    sites: list[int],
    modules: list[str],
    difference: str,
) -> None:
    """The number and the name of a site are checked against each other on the model."""
    data = sd3_tiny()
    data["substitution"] |= {"sites": sites, "modules": modules}
    (tmp_path / FILE_NAME).write_text(yaml.safe_dump(data))
    with pytest.raises(ManifestError, match=difference):
        find_manifest(denoiser, names(denoiser), tmp_path)


def test_other_weights_than_those_that_were_measured_are_refused(
    tmp_path: Path, denoiser: SD3Transformer2DModel
) -> None:
    """A fine-tuned copy may have its letters elsewhere: both digests are in the error."""
    (tmp_path / "transformer").mkdir()
    (tmp_path / "transformer" / "model.safetensors").write_bytes(b"other weights")
    data = sd3_tiny()
    (tmp_path / FILE_NAME).write_text(yaml.safe_dump(data))
    found = (digest_weights(tmp_path) or "")[:19]
    wanted = data["model"]["weights_digest"][:19]
    with pytest.raises(ManifestError, match=f"weights are {found}.*the manifest says {wanted}"):
        find_manifest(denoiser, names(denoiser), tmp_path)


def test_sites_that_are_numbered_another_way_are_refused(tmp_path: Path) -> None:
    """`named_modules()` has a U-Net's middle after its way up."""
    data = sd3_tiny()
    data["substitution"]["numbering"] = "named_modules"
    path = tmp_path / "m.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ManifestError, match=r"m\.yaml: the numbering is 'named_modules'"):
        load_manifest(path)


@pytest.mark.parametrize(("start", "of"), [(-1, None), (28, 28), (0, 0), ("x", 28), (1, [2])])
def test_a_start_that_is_no_step_is_refused(tmp_path: Path, start: object, of: object) -> None:
    """With the file's name."""
    data = sd3_tiny()
    data["substitution"] |= {"start_step": start, "of_steps": of}
    path = tmp_path / "m.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ManifestError, match=r"m\.yaml: "):
        load_manifest(path)


def test_a_start_without_a_number_of_steps_holds_for_any_request(tmp_path: Path) -> None:
    """As in the manifests that name none."""
    data = sd3_tiny()
    data["substitution"] |= {"start_step": 3, "of_steps": None}
    path = tmp_path / "m.yaml"
    path.write_text(yaml.safe_dump(data))
    assert [load_manifest(path).first_step(steps) for steps in (4, 50)] == [3, 3]


@pytest.mark.parametrize(
    "text", ["", "[]", "format: 1", "format: 2", "a: [", "format: 1\nname: x\nmodel: 3"]
)
def test_broken_manifests_are_refused_with_their_file(tmp_path: Path, text: str) -> None:
    """Whatever is wrong, the error begins with the file's name."""
    path = tmp_path / "m.yaml"
    path.write_text(text)
    with pytest.raises(ManifestError, match=r"m\.yaml"):
        load_manifest(path)
