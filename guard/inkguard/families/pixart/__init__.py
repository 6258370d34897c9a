"""PixArt-alpha and PixArt-sigma: T5's caption, projected once, in a transformer's cross-attention."""

from __future__ import annotations

from diffusers import PixArtTransformer2DModel

from inkguard.families.pixart.adapter import PixArtAdapter
from inkguard.families.registry import Family

__all__ = ["FAMILY"]

FAMILY = Family(
    name="pixart",
    pipelines=(
        "PixArtAlphaPipeline",
        "PixArtSigmaPipeline",
    ),
    denoiser=PixArtTransformer2DModel,
    adapter=PixArtAdapter(),
    config=(
        "num_layers",
        "num_attention_heads",
        "attention_head_dim",
        "cross_attention_dim",
        "caption_channels",
        "in_channels",
        "out_channels",
        "patch_size",
        "sample_size",
    ),
)
