"""The paper's manifests against the real architectures, built without weights on the meta device."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from diffusers import SD3Transformer2DModel, UNet2DConditionModel

from inkguard.edit.cross_attention import CrossText
from inkguard.errors import ManifestError, UnsupportedModel
from inkguard.families.sd3.edit import Sd3Shadow
from inkguard.manifests.manifest import (
    FILE_NAME,
    Manifest,
    find_manifest,
    load_manifest,
    shipped_manifests,
)

# The fields of the published config.json files that are not the classes' defaults.
SDXL: dict[str, Any] = {
    "sample_size": 128,
    "block_out_channels": [320, 640, 1280],
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "transformer_layers_per_block": [1, 2, 10],
    "attention_head_dim": [5, 10, 20],
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
REFINER = {
    **SDXL,
    "block_out_channels": [384, 768, 1536, 1536],
    "down_block_types": [*SDXL["down_block_types"], "DownBlock2D"],
    "up_block_types": ["UpBlock2D", *SDXL["up_block_types"]],
    "transformer_layers_per_block": 4,
    "attention_head_dim": [6, 12, 24, 24],
    "cross_attention_dim": 1280,
    "projection_class_embeddings_input_dim": 2560,
}
SD15 = {"sample_size": 64, "cross_attention_dim": 768}
SD3: dict[str, Any] = {
    "sample_size": 128,
    "num_layers": 24,
    "num_attention_heads": 24,
    "attention_head_dim": 64,
    "joint_attention_dim": 4096,
    "caption_projection_dim": 1536,
    "pooled_projection_dim": 2048,
    "in_channels": 16,
    "pos_embed_max_size": 192,
}
SD35 = {
    **SD3,
    "pos_embed_max_size": 384,
    "qk_norm": "rms_norm",
    "dual_attention_layers": list(range(13)),
}


def deepfloyd(width: int) -> dict[str, Any]:
    """IF's first stage: XL has 704 model channels, L 320 and M 192 (0.9 and 0.4 billion parameters)."""
    return {
        "sample_size": 64,
        "in_channels": 3,
        "out_channels": 6,
        "block_out_channels": [width, 2 * width, 3 * width, 4 * width],
        "down_block_types": ["ResnetDownsampleBlock2D", *["SimpleCrossAttnDownBlock2D"] * 3],
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "up_block_types": [*["SimpleCrossAttnUpBlock2D"] * 3, "ResnetUpsampleBlock2D"],
        "layers_per_block": 3,
        "attention_head_dim": 64,
        "cross_attention_dim": 4 * width,
        "cross_attention_norm": "group_norm",
        "encoder_hid_dim": 4096,
        "encoder_hid_dim_type": "text_proj",
        "addition_embed_type": "text",
        "addition_embed_type_num_heads": 64,
        "resnet_time_scale_shift": "scale_shift",
        "act_fn": "gelu",
    }


MODELS: dict[str, dict[str, Any]] = {
    "sdxl-base": SDXL,
    "if-stage-1-xl": deepfloyd(704),
    "sd3-medium": SD3,
    "SDXL refiner": REFINER,
    "SDXL Turbo": {**SDXL, "sample_size": 64},
    "SD 1.5": SD15,
    "IF-I-L": deepfloyd(320),
    "IF-I-M": deepfloyd(192),
    "SD3.5 medium": SD35,
}
PAPER = ("sdxl-base", "if-stage-1-xl", "sd3-medium")


@cache
def build(model: str) -> Any:
    config = MODELS[model]
    kind = SD3Transformer2DModel if "joint_attention_dim" in config else UNet2DConditionModel
    with torch.device("meta"):
        return kind.from_config(config)


@cache
def manifest(name: str) -> Manifest:
    (path,) = (p for p in shipped_manifests() if p.stem == name)
    return load_manifest(path)


def run(model: Any) -> None:
    """One call on shapes alone; pictures of a quarter of the trained area, to be quick."""
    side = model.config.sample_size // 2
    picture = torch.empty(1, model.config.in_channels, side, side)
    if isinstance(model, SD3Transformer2DModel):
        model(picture, torch.empty(1, 5, 4096), torch.empty(1, 2048), torch.empty(1))
        return
    width = model.config.encoder_hid_dim or model.config.cross_attention_dim
    added = {"text_embeds": torch.empty(1, 1280), "time_ids": torch.empty(1, 6)}
    model(picture, torch.empty(()), torch.empty(1, 5, width), added_cond_kwargs=added)


def sites_of(model: Any) -> list[tuple[str, Any]]:
    edit = Sd3Shadow if isinstance(model, SD3Transformer2DModel) else CrossText
    return edit.sites_of(model)


def names(model: str) -> list[str]:
    return [name for name, _ in sites_of(build(model))]


@pytest.mark.parametrize(("name", "sites"), zip(PAPER, (70, 22, 24), strict=True))
def test_the_sites_are_at_those_places_in_the_order_of_execution(name: str, sites: int) -> None:
    """As many sites as in the paper's Table 1; hooks fire in their order; the modules sit at the sites."""
    model, fired = build(name), []
    hooks = [
        attn.register_forward_hook(lambda *_, n=site: fired.append(n))
        for site, attn in sites_of(model)
    ]
    with torch.device("meta"), torch.no_grad():
        run(model)
    for hook in hooks:
        hook.remove()
    assert len(fired) == sites
    assert fired == [site for site, _ in sites_of(model)]
    assert tuple(fired[site] for site in manifest(name).sites) == manifest(name).modules


@pytest.mark.parametrize(
    ("name", "millions", "percent"),
    [("sdxl-base", 15.7, 0.61), ("if-stage-1-xl", 8.9, 0.21), ("sd3-medium", 4.7, 0.23)],
)
def test_the_share_of_parameters_is_the_papers(name: str, millions: float, percent: float) -> None:
    """Table 1's figures are those of `to_k` and `to_v` at the sites, over the whole denoiser."""
    model = build(name)
    sites = sites_of(model)
    keys_and_values = sum(
        parameter.numel()
        for site in manifest(name).sites
        for part in (sites[site][1].to_k, sites[site][1].to_v)
        for parameter in part.parameters()
    )
    everything = sum(p.numel() for p in model.parameters())
    assert round(keys_and_values / 1e6, 1) == millions
    assert round(100 * keys_and_values / everything, 2) == percent
    written = yaml.safe_load(_path(name).read_text())["substitution"]["share_of_parameters"]
    assert written == round(percent / 100, 4)


@pytest.mark.parametrize("model", MODELS)
def test_each_manifest_fits_its_own_architecture_and_no_other(model: str) -> None:
    """Of all that are shipped, exactly the one of the model's name fits, or none does."""
    fitting = [
        found.name
        for found in map(load_manifest, shipped_manifests())
        if not list(found.differences(build(model), names(model), None))
    ]
    assert fitting == ([model] if model in PAPER else [])
    if model in PAPER:
        assert find_manifest(build(model), names(model), None).name == model
    else:
        with pytest.raises(UnsupportedModel, match="no manifest fits"):
            find_manifest(build(model), names(model), None)


@pytest.mark.parametrize(
    ("name", "model", "difference"),
    [
        ("sd3-medium", "SD3.5 medium", "pos_embed_max_size is 384, the manifest says 192"),
        ("sd3-medium", "SD3.5 medium", "qk_norm is 'rms_norm', the manifest says None"),
        ("sdxl-base", "SDXL Turbo", "sample_size is 64, the manifest says 128"),
        ("sdxl-base", "SDXL refiner", "cross_attention_dim is 1280, the manifest says 2048"),
        ("if-stage-1-xl", "IF-I-M", r"block_out_channels is \[192, 384, 576, 768\]"),
        ("if-stage-1-xl", "sd3-medium", "is a SD3Transformer2DModel, the manifest is for UNet2D"),
    ],
)
def test_a_manifest_of_another_model_is_refused_with_the_difference(
    tmp_path: Path, name: str, model: str, difference: str
) -> None:
    """Put into the other model's folder, it is an error that names field, value and expectation."""
    (tmp_path / FILE_NAME).write_text(_path(name).read_text())
    with pytest.raises(ManifestError, match=difference):
        find_manifest(build(model), names(model), tmp_path)


@pytest.mark.parametrize("name", PAPER)
def test_what_is_not_measured_is_marked_so(name: str) -> None:
    """Source, paper and its tables are named, and no digest is claimed."""
    found = manifest(name)
    assert (found.source, found.weights_digest) == ("paper", None)
    assert "2502.09935" in found.evidence["paper"]
    assert "nothing" in found.evidence["measured_here"]


@pytest.mark.parametrize(
    ("name", "steps", "first"),
    [
        ("sdxl-base", 50, 4),
        ("if-stage-1-xl", 50, 2),
        ("sd3-medium", 28, 0),
        ("sdxl-base", 20, 1),
        ("sdxl-base", 4, 0),
        ("if-stage-1-xl", 100, 4),
    ],
)
def test_the_start_is_the_papers_share_of_the_steps(name: str, steps: int, first: int) -> None:
    """The paper's own number for its own steps; in proportion, rounded down, for others."""
    assert manifest(name).first_step(steps) == first


def _path(name: str) -> Path:
    return next(path for path in shipped_manifests() if path.stem == name)


def _contradict(a: Manifest, b: Manifest) -> bool:
    """Whether no denoiser can fit both."""
    shared = a.config.keys() & b.config.keys()
    return a.denoiser != b.denoiser or any(a.config[key] != b.config[key] for key in shared)


def test_no_two_shipped_manifests_can_fit_one_model() -> None:
    """Any two differ in the denoiser's class or in a config field that both of them name."""
    found = [load_manifest(path) for path in shipped_manifests()]
    assert len({m.name for m in found}) == len(found) >= 4
    for n, a in enumerate(found):
        for b in found[:n]:
            assert _contradict(a, b), f"{a.name} and {b.name} could both fit"
