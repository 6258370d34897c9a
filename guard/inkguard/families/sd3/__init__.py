"""Stable Diffusion 3 and 3.5: two CLIPs and T5, joint attention, and pooled text beside it."""

from __future__ import annotations

from diffusers import SD3Transformer2DModel

from inkguard.families.registry import Family
from inkguard.families.sd3.adapter import Sd3Adapter

__all__ = ["FAMILY"]

FAMILY = Family(
    name="sd3",
    pipelines=(
        "StableDiffusion3ControlNetInpaintingPipeline",
        "StableDiffusion3ControlNetPipeline",
        "StableDiffusion3Img2ImgPipeline",
        "StableDiffusion3InpaintPipeline",
        "StableDiffusion3Pipeline",
    ),
    denoiser=SD3Transformer2DModel,
    adapter=Sd3Adapter(),
    config=(
        "num_layers",
        "num_attention_heads",
        "attention_head_dim",
        "joint_attention_dim",
        "caption_projection_dim",
        "pooled_projection_dim",
        "in_channels",
        "patch_size",
        "sample_size",
        "dual_attention_layers",
    ),
)
