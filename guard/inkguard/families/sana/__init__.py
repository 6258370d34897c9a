"""Sana and SANA-Sprint: a language model's caption, projected once, in a transformer's cross-attention."""

from __future__ import annotations

from diffusers import SanaTransformer2DModel

from inkguard.families.registry import Family
from inkguard.families.sana.adapter import SanaAdapter

__all__ = ["FAMILY"]

FAMILY = Family(
    name="sana",
    pipelines=(
        "SanaControlNetPipeline",
        "SanaPipeline",
        "SanaSprintImg2ImgPipeline",
        "SanaSprintPipeline",
    ),
    denoiser=SanaTransformer2DModel,
    adapter=SanaAdapter(),
    config=(
        "num_layers",
        "num_attention_heads",
        "attention_head_dim",
        "num_cross_attention_heads",
        "cross_attention_head_dim",
        "cross_attention_dim",
        "caption_channels",
        "in_channels",
        "out_channels",
        "patch_size",
        "sample_size",
        "guidance_embeds",
    ),
)
