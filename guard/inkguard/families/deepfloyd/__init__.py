"""DeepFloyd IF: T5's text as added keys in a U-Net on pixels, which pools text itself."""

from __future__ import annotations

from diffusers import UNet2DConditionModel

from inkguard.families.deepfloyd.adapter import IfAdapter
from inkguard.families.registry import Family
from inkguard.families.unet_adapter import UNET_CONFIG

__all__ = ["FAMILY"]

FAMILY = Family(
    name="if",
    pipelines=(
        "IFImg2ImgPipeline",
        "IFImg2ImgSuperResolutionPipeline",
        "IFInpaintingPipeline",
        "IFInpaintingSuperResolutionPipeline",
        "IFPipeline",
        "IFSuperResolutionPipeline",
    ),
    denoiser=UNet2DConditionModel,
    adapter=IfAdapter(),
    config=UNET_CONFIG,
)
