"""Small pipelines of the stock classes, one or more for each family, and what tests do with them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import diffusers
import torch
from diffusers import (
    ControlNetModel,
    ControlNetUnionModel,
    FluxControlNetModel,
    QwenImageControlNetModel,
    SanaControlNetModel,
    SD3ControlNetModel,
    T2IAdapter,
)

from tests.families.nets import random
from tests.families.parts import (
    FLUX,
    QWEN,
    SANA,
    depth_parts,
    flux_parts,
    if_parts,
    pixart_parts,
    qwen_parts,
    sana_parts,
    sd3_parts,
    sd_parts,
    sdxl_parts,
    upscale_parts,
)

_SHARED = inspect.signature(ControlNetUnionModel.__init__).parameters


def controlnet(name: str, parts: Mapping[str, Any]) -> Any:
    """Of the family of the diffusers pipeline class `name`."""
    if "unet" in parts and "Union" in name:
        config = {k: v for k, v in parts["unet"].config.items() if k in _SHARED}
        return ControlNetUnionModel(
            conditioning_embedding_out_channels=(8,) * 4,
            num_trans_channel=8,
            num_trans_head=2,
            num_proj_channel=8,
            **config,
        )
    if "unet" in parts:
        return ControlNetModel.from_unet(
            parts["unet"], conditioning_embedding_out_channels=(8,) * 4
        )
    if name.startswith("StableDiffusion3"):
        # The inpainting class shows its ControlNet the mask beside the latents.
        extra = 1 if "Inpainting" in name else 0
        return SD3ControlNetModel.from_transformer(
            parts["transformer"],
            num_layers=1,
            num_extra_conditioning_channels=extra,
            load_weights_from_transformer=False,
        )
    if name.startswith("Flux"):
        return FluxControlNetModel(num_layers=1, num_single_layers=1, **FLUX)
    if name.startswith("Qwen"):
        extra = 4 if "Inpaint" in name else 0
        return QwenImageControlNetModel(num_layers=1, extra_condition_channels=extra, **QWEN)
    return SanaControlNetModel(num_layers=1, **SANA)


def t2i_adapter() -> T2IAdapter:
    """SDXL's kind, as the small U-Net begins like SDXL's: with a block that has no attention."""
    return T2IAdapter(
        channels=[8, 16], num_res_blocks=1, downscale_factor=16, adapter_type="full_adapter_xl"
    )


def pipeline(name: str, parts: Mapping[str, Any]) -> Any:
    """A pipeline of the diffusers class `name`; its ControlNet or adapter is one of its own."""
    torch.manual_seed(1)
    more = {"controlnet": random(controlnet(name, parts))} if "ControlNet" in name else {}
    if "Adapter" in name:
        more["adapter"] = random(t2i_adapter())
    return assembled(getattr(diffusers, name), {**parts, **more})


def assembled(kind: Any, parts: Mapping[str, Any]) -> Any:
    """A pipeline of the class `kind`."""
    pipe = kind(**parts)
    if kind.__name__.startswith("QwenImage"):
        # The template's first tokens, which the pipeline drops, are 34 only for Qwen's own tokenizer.
        before = pipe.prompt_template_encode.split("{}")[0]
        ids = pipe.tokenizer(before, add_special_tokens=False).input_ids
        pipe.prompt_template_encode_start_idx = len(ids)
    pipe.set_progress_bar_config(disable=True)
    return pipe


FAMILIES: dict[str, Callable[[], Any]] = {
    "sd3": lambda: pipeline("StableDiffusion3Pipeline", sd3_parts()),
    "sdxl": lambda: pipeline("StableDiffusionXLPipeline", sdxl_parts()),
    "if": lambda: pipeline("IFPipeline", if_parts()),
    "flux": lambda: pipeline("FluxPipeline", flux_parts()),
    "qwen": lambda: pipeline("QwenImagePipeline", qwen_parts()),
    "pixart-alpha": lambda: pipeline("PixArtAlphaPipeline", pixart_parts(128)),
    "pixart-sigma": lambda: pipeline("PixArtSigmaPipeline", pixart_parts()),
    "sana": lambda: pipeline("SanaPipeline", sana_parts()),
    "sana-sprint": lambda: pipeline("SanaSprintPipeline", sana_parts(distilled=True)),
}
"""A pipeline of every family, to be built anew."""

_FLUX_WIDER = {"Fill": 48, "ControlI": 32, "ControlP": 32}
"""Input channels of the FLUX classes that put a picture, and a mask, beside the latents."""


def parts_of(name: str) -> dict[str, Any]:
    """What a pipeline of the diffusers class `name` is made of, but for its ControlNet."""
    if name.startswith("Flux"):
        wider = [n for part, n in _FLUX_WIDER.items() if part in name]
        return flux_parts(in_channels=wider[0], out_channels=16) if wider else flux_parts()
    if name.startswith("IF"):
        return if_parts("SuperResolution" in name)
    if name.startswith("LatentConsistency"):
        return sd_parts(distilled=True)
    families = {
        "PixArtAlpha": lambda: pixart_parts(128),
        "PixArt": pixart_parts,
        "Qwen": qwen_parts,
        "SanaSprint": lambda: sana_parts(distilled=True),
        "Sana": sana_parts,
        "StableDiffusionXL": sdxl_parts,
        "StableDiffusionDepth": depth_parts,
        "StableDiffusionUpscale": upscale_parts,
        "StableDiffusion3": sd3_parts,
        "StableDiffusion": sd_parts,
    }
    return next(make() for start, make in families.items() if name.startswith(start))
