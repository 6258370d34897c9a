"""Stable Diffusion 1 and 2: one CLIP, cross-attention in a U-Net, nothing pooled."""

from __future__ import annotations

from diffusers import UNet2DConditionModel

from inkguard.families.registry import Family
from inkguard.families.sd.adapter import SdAdapter
from inkguard.families.unet_adapter import UNET_CONFIG

__all__ = ["FAMILY"]

FAMILY = Family(
    name="sd",
    pipelines=(
        "LatentConsistencyModelImg2ImgPipeline",
        "LatentConsistencyModelPipeline",
        "StableDiffusionAdapterPipeline",
        "StableDiffusionControlNetImg2ImgPipeline",
        "StableDiffusionControlNetInpaintPipeline",
        "StableDiffusionControlNetPipeline",
        "StableDiffusionDepth2ImgPipeline",
        "StableDiffusionImg2ImgPipeline",
        "StableDiffusionInpaintPipeline",
        "StableDiffusionPipeline",
        "StableDiffusionUpscalePipeline",
    ),
    denoiser=UNet2DConditionModel,
    adapter=SdAdapter(),
    config=UNET_CONFIG,
)
