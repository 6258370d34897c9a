"""Qwen-Image: a language model's text, as long as it is, in joint attention."""

from __future__ import annotations

from diffusers import QwenImageTransformer2DModel

from inkguard.families.qwen_image.adapter import QwenAdapter
from inkguard.families.registry import Family

__all__ = ["FAMILY"]

FAMILY = Family(
    name="qwen",
    pipelines=(
        "QwenImageControlNetInpaintPipeline",
        "QwenImageControlNetPipeline",
        "QwenImageImg2ImgPipeline",
        "QwenImageInpaintPipeline",
        "QwenImagePipeline",
    ),
    denoiser=QwenImageTransformer2DModel,
    adapter=QwenAdapter(),
    config=(
        "num_layers",
        "num_attention_heads",
        "attention_head_dim",
        "joint_attention_dim",
        "in_channels",
        "out_channels",
        "patch_size",
    ),
)
