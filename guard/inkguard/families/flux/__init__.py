"""FLUX.1: T5's text in joint attention, in double- and single-stream blocks, and CLIP's pooled text."""

from __future__ import annotations

from diffusers import FluxTransformer2DModel

from inkguard.families.flux.adapter import FluxAdapter
from inkguard.families.registry import Family

__all__ = ["FAMILY"]

FAMILY = Family(
    name="flux",
    pipelines=(
        "FluxControlImg2ImgPipeline",
        "FluxControlInpaintPipeline",
        "FluxControlNetImg2ImgPipeline",
        "FluxControlNetInpaintPipeline",
        "FluxControlNetPipeline",
        "FluxControlPipeline",
        "FluxFillPipeline",
        "FluxImg2ImgPipeline",
        "FluxInpaintPipeline",
        "FluxKontextPipeline",
        "FluxPipeline",
    ),
    denoiser=FluxTransformer2DModel,
    adapter=FluxAdapter(),
    config=(
        "num_layers",
        "num_single_layers",
        "num_attention_heads",
        "attention_head_dim",
        "joint_attention_dim",
        "pooled_projection_dim",
        "in_channels",
        "out_channels",
        "patch_size",
        "guidance_embeds",
    ),
)
