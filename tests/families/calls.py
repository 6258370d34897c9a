"""Calls of the small pipelines of pipelines.py, and what they leave behind."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from inkguard.families.registry import adapter_for
from inkguard.manifests.manifest import Manifest
from training.tokenizers import T5_LENGTH

__all__ = [
    "DONORS",
    "HARMLESS",
    "SHORT",
    "TOXIC",
    "call",
    "draw",
    "every_site",
    "manifest",
    "plain",
    "snapshot",
]

TOXIC = 'a red sign that says "IDIOT" on a blue background with a yellow star'
DONORS = {
    "equal": 'a red sign that says "HELLO" on a blue background with a yellow star',
    "shorter": 'a red sign that says "HI" on a blue background with a yellow star',
    "longer": 'a red sign that says "GOOD MORNING" on a blue background with a yellow star',
}
HARMLESS = 'a cyan sign that says "WELCOME" on a brown background with a pink circle'
SHORT = "a red sign"

_SIDES = {
    "Flux": 16,
    "IF": 16,
    "Latent": 64,
    "Poster": 64,
    "StableDiffusionUpscale": 16,
    "StableDiffusion": 64,
}
_PADDED = ("Flux", "PixArt", "Sana", "StableDiffusion3")
_BINNED = ("PixArt", "Sana")
_ONE_PICTURE_EACH = ("IF", "Adapter", "Upscale")
"""Classes that want a picture for each prompt; the others repeat one."""
_CACHES = ("_conv_", "_enc_conv_", "_feat_map", "_enc_feat_map")
"""Attributes in which Qwen-Image's autoencoder keeps what it computed last."""


def call(pipe: Any, prompts: list[str], **more: Any) -> dict[str, Any]:
    """Arguments of a call in three steps; the pipelines that start from a picture get one."""
    name = type(pipe).__name__
    side = next((s for start, s in _SIDES.items() if name.startswith(start)), 32)
    arguments: dict[str, Any] = {
        "prompt": prompts,
        "height": side,
        "width": side,
        "num_inference_steps": 3,
        "generator": torch.Generator().manual_seed(3),
        "output_type": "np",
    }
    if name.startswith(_PADDED):
        arguments["max_sequence_length"] = T5_LENGTH
    if name.startswith(_BINNED):
        arguments["use_resolution_binning"] = False
    if name.startswith("SanaSprint"):
        arguments["intermediate_timesteps"] = None
    if name.startswith("LatentConsistency"):
        arguments["original_inference_steps"] = 12
    one_each = any(part in name for part in _ONE_PICTURE_EACH)
    count = len(prompts) if one_each else 1
    picture = np.random.default_rng(0).random((count, side, side, 3), dtype=np.float32)
    tensor, mask = torch.tensor(picture).permute(0, 3, 1, 2), (picture[..., :1] > 0.5)
    takes = inspect.signature(type(pipe).__call__).parameters
    if "strength" in takes:
        arguments |= {"image": picture, "strength": 0.7}
    if "Upscale" in name or "Adapter" in name:
        arguments["image"] = tensor
    if "depth_map" in takes:
        arguments["depth_map"] = tensor[:, 0]
    if "Union" in name:
        arguments["control_mode"] = 2
    if "SuperResolution" in name:
        arguments["image"] = tensor[..., ::2, ::2]
    if "original_image" in takes:
        arguments["original_image"] = tensor
    if "mask_image" in takes:
        whole = torch.tensor(mask).permute(0, 3, 1, 2).float()
        arguments["mask_image"] = whole if name.startswith("IF") else mask.astype(np.float32)
    if "Kontext" in name:
        arguments |= {"image": tensor, "_auto_resize": False, "max_area": side * side}
    if "Control" in name:
        arguments["control_image" if "control_image" in takes else "image"] = tensor
    if "control_mask" in takes:
        arguments["control_mask"] = torch.tensor(mask).permute(0, 3, 1, 2).float()
    return {k: v for k, v in arguments.items() if k in takes} | more


def every_site(pipe: Any) -> tuple[int, ...]:
    return tuple(range(len(adapter_for(pipe).sites(pipe))))


def manifest(pipe: Any, sites: Sequence[int], **more: Any) -> Manifest:
    adapter = adapter_for(pipe)
    names = [name for name, _ in adapter.sites(pipe)]
    return Manifest(
        name="test",
        pipeline=type(pipe).__name__,
        denoiser=type(adapter.denoiser(pipe)).__name__,
        config={},
        weights_digest=None,
        source="measured",
        sites=tuple(sites),
        modules=tuple(names[s] for s in sites),
        **{"start_step": 0, **more},
    )


def plain(pipe: Any, arguments: dict[str, Any], **more: Any) -> np.ndarray[Any, Any]:
    """The pictures of a bare pipeline call; the generator starts afresh."""
    arguments["generator"].manual_seed(3)
    torch.manual_seed(3)  # SD3's ControlNet pipelines take noise for the control picture from here
    images: np.ndarray[Any, Any] = pipe(**{**arguments, **more}).images
    return images


def draw(
    pipe: Any,
    arguments: dict[str, Any],
    sites: Sequence[int],
    rows: list[int],
    donors: list[str] | dict[str, list[str]],
    **more: Any,
) -> np.ndarray[Any, Any]:
    """The pictures of a pipeline call with `rows` substituted; the generator starts afresh."""
    texts = donors if isinstance(donors, dict) else {"prompt": donors}
    found = manifest(pipe, sites, **more)
    with adapter_for(pipe).substituted(pipe, found, arguments, rows, texts):
        return plain(pipe, arguments)


def snapshot(pipe: Any) -> dict[str, object]:
    """Everything that an edit could leave on a pipeline's models, by module.

    Hooks, attributes (a processor is one), and each parameter with its count of in-place changes.
    To be compared after a first call, in which the libraries put hooks of their own on some models.
    """
    return {
        f"{part}.{name}": (
            {
                key: None if key.startswith(_CACHES) else id(value)
                for key, value in vars(module).items()
            },
            [
                *module._forward_hooks.values(),
                *module._forward_pre_hooks.values(),
                *module._backward_hooks.values(),
            ],
            [(id(p), p._version) for p in module.parameters(recurse=False)],
        )
        for part, model in pipe.components.items()
        if isinstance(model, torch.nn.Module)
        for name, module in model.named_modules()
    }
