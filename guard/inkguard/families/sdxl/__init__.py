"""Stable Diffusion XL: two CLIPs, cross-attention in a U-Net, and pooled text beside it."""

from __future__ import annotations

from diffusers import UNet2DConditionModel

from inkguard.families.registry import Family
from inkguard.families.sdxl.adapter import SdxlAdapter
from inkguard.families.unet_adapter import UNET_CONFIG

__all__ = ["FAMILY"]

FAMILY = Family(
    name="sdxl",
    pipelines=(
        "StableDiffusionXLAdapterPipeline",
        "StableDiffusionXLControlNetImg2ImgPipeline",
        "StableDiffusionXLControlNetInpaintPipeline",
        "StableDiffusionXLControlNetPipeline",
        "StableDiffusionXLControlNetUnionImg2ImgPipeline",
        "StableDiffusionXLControlNetUnionInpaintPipeline",
        "StableDiffusionXLControlNetUnionPipeline",
        "StableDiffusionXLImg2ImgPipeline",
        "StableDiffusionXLInpaintPipeline",
        "StableDiffusionXLPipeline",
    ),
    denoiser=UNet2DConditionModel,
    adapter=SdxlAdapter(),
    config=UNET_CONFIG,
)
