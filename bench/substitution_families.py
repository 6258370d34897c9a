"""Denoisers at their published configurations, and what their pipelines call them with, on the meta device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import (
    FluxTransformer2DModel,
    PixArtTransformer2DModel,
    QwenImageTransformer2DModel,
    SanaTransformer2DModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
)

from inkguard.edit.cross_attention import CrossText
from inkguard.edit.projected_caption import CaptionText
from inkguard.edit.rows import RowMatch
from inkguard.edit.substitution import Substitution
from inkguard.families.flux.edit import FluxShadow
from inkguard.families.qwen_image.edit import QwenShadow
from inkguard.families.sd3.edit import Sd3Shadow

__all__ = ["FAMILIES", "KIND", "Family"]

KIND: Any = {"device": "meta", "dtype": torch.bfloat16}


class _LastRow(Substitution):
    """Meta tensors have no content to match rows or steps by: the last row is the flagged one."""

    def _time(self, timestep: torch.Tensor) -> float:
        return 0.0

    def _find(self, text: torch.Tensor) -> RowMatch:
        flagged = self._flagged[0]
        rows, others = torch.tensor([len(text) - 1]), torch.arange(len(text) - 1)
        mask = None if flagged.donor_mask is None else flagged.donor_mask[None]
        return RowMatch(rows, others, flagged.donor[None], prompts=(0,), masks=mask)


class _Cross(_LastRow, CrossText):
    pass


class _Caption(_LastRow, CaptionText):
    pass


class _Sd3(_LastRow, Sd3Shadow):
    pass


class _Flux(_LastRow, FluxShadow):
    pass


class _Qwen(_LastRow, QwenShadow):
    pass


@dataclass(frozen=True, kw_only=True)
class Family:
    """A model: its edit, text (tokens, width), call inputs by (batch, pixels), and sites by their source.

    `one_call`: guidance doubles the batch of one call, and does not make a second call.
    """

    name: str
    model: Callable[[], Any]
    edit: type[Substitution]
    text: tuple[int, int]
    inputs: Callable[[int, int], dict[str, Any]]
    sites: dict[str, tuple[int, ...]]
    pixels: int = 1024
    one_call: bool = True
    masked: bool = False


def _empty(*shape: int) -> torch.Tensor:
    return torch.empty(*shape, **KIND)


def _latents(channels: int, unit: int) -> Callable[[int, int], dict[str, Any]]:
    return lambda batch, px: {"sample": _empty(batch, channels, px // unit, px // unit)}


def _sdxl(batch: int, pixels: int) -> dict[str, Any]:
    added = {"text_embeds": _empty(batch, 1280), "time_ids": _empty(batch, 6)}
    return {**_latents(4, 8)(batch, pixels), "added_cond_kwargs": added}


def _sd3(batch: int, pixels: int) -> dict[str, Any]:
    return {
        "hidden_states": _empty(batch, 16, pixels // 8, pixels // 8),
        "pooled_projections": _empty(batch, 2048),
    }


def _flux(batch: int, pixels: int) -> dict[str, Any]:
    patches = (pixels // 16) ** 2
    return {
        "hidden_states": _empty(batch, patches, 64),
        "pooled_projections": _empty(batch, 768),
        "guidance": _empty(batch),
        "img_ids": _empty(patches, 3),
        "txt_ids": _empty(512, 3),
    }


def _qwen(batch: int, pixels: int) -> dict[str, Any]:
    side = pixels // 16
    shapes = [[(1, side, side)]] * batch
    return {"hidden_states": _empty(batch, side * side, 64), "img_shapes": shapes}


def _pixart(batch: int, pixels: int) -> dict[str, Any]:
    return {
        "hidden_states": _empty(batch, 4, pixels // 8, pixels // 8),
        "added_cond_kwargs": {"resolution": None, "aspect_ratio": None},
    }


def _sana(batch: int, pixels: int) -> dict[str, Any]:
    return {"hidden_states": _empty(batch, 32, pixels // 32, pixels // 32)}


_SDXL: dict[str, Any] = {
    "sample_size": 128,
    "block_out_channels": [320, 640, 1280],
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "transformer_layers_per_block": [1, 2, 10],
    "attention_head_dim": [5, 10, 20],
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
_IF: dict[str, Any] = {
    "sample_size": 64,
    "in_channels": 3,
    "out_channels": 6,
    "block_out_channels": [704, 1408, 2112, 2816],
    "down_block_types": ["ResnetDownsampleBlock2D", *["SimpleCrossAttnDownBlock2D"] * 3],
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "up_block_types": [*["SimpleCrossAttnUpBlock2D"] * 3, "ResnetUpsampleBlock2D"],
    "layers_per_block": 3,
    "attention_head_dim": 64,
    "cross_attention_dim": 2816,
    "encoder_hid_dim": 4096,
    "encoder_hid_dim_type": "text_proj",
    "addition_embed_type": "text",
    "addition_embed_type_num_heads": 64,
    "act_fn": "gelu",
    "resnet_time_scale_shift": "scale_shift",
}
_SD3: dict[str, Any] = {
    "sample_size": 128,
    "num_layers": 24,
    "num_attention_heads": 24,
    "attention_head_dim": 64,
    "joint_attention_dim": 4096,
    "caption_projection_dim": 1536,
    "pooled_projection_dim": 2048,
    "in_channels": 16,
    "pos_embed_max_size": 192,
}
_SD35_MEDIUM = {
    **{**_SD3, "pos_embed_max_size": 384},
    **{"qk_norm": "rms_norm", "dual_attention_layers": [*range(13)]},
}
_SD35_LARGE = {
    **{**_SD3, "num_layers": 38, "num_attention_heads": 38},
    **{"caption_projection_dim": 2432, "qk_norm": "rms_norm"},
}

FAMILIES = (
    Family(
        name="SD 1.5",
        model=lambda: UNet2DConditionModel(sample_size=64, cross_attention_dim=768),
        edit=_Cross,
        text=(77, 768),
        inputs=_latents(4, 8),
        sites={"middle": (6,)},
        pixels=512,
    ),
    Family(
        name="SDXL base",
        model=lambda: UNet2DConditionModel.from_config(_SDXL),
        edit=_Cross,
        text=(77, 2048),
        inputs=_sdxl,
        sites={"paper": (55, 56, 57)},
    ),
    Family(
        name="IF-I-XL",
        model=lambda: UNet2DConditionModel.from_config(_IF),
        edit=_Cross,
        text=(77, 4096),
        inputs=_latents(3, 1),
        sites={"paper": (17,)},
        pixels=64,
    ),
    Family(
        name="PixArt-Sigma",
        model=lambda: PixArtTransformer2DModel(
            sample_size=128,
            out_channels=8,
            caption_channels=4096,
            use_additional_conditions=False,
        ),
        edit=_Caption,
        text=(300, 4096),
        inputs=_pixart,
        sites={"middle": (14,)},
        masked=True,
    ),
    Family(
        name="Sana 1.6B",
        model=SanaTransformer2DModel,
        edit=_Caption,
        text=(300, 2304),
        inputs=_sana,
        sites={"middle": (10,)},
        masked=True,
    ),
    Family(
        name="SD3 medium",
        model=lambda: SD3Transformer2DModel.from_config(_SD3),
        edit=_Sd3,
        text=(333, 4096),
        inputs=_sd3,
        sites={"paper": (10,), "late": (18,)},
    ),
    Family(
        name="SD3.5 medium",
        model=lambda: SD3Transformer2DModel.from_config(_SD35_MEDIUM),
        edit=_Sd3,
        text=(333, 4096),
        inputs=_sd3,
        sites={"as SD3": (10,)},
    ),
    Family(
        name="SD3.5 large",
        model=lambda: SD3Transformer2DModel.from_config(_SD35_LARGE),
        edit=_Sd3,
        text=(333, 4096),
        inputs=_sd3,
        sites={"as SD3": (16,)},
    ),
    Family(
        name="FLUX.1-dev",
        model=lambda: FluxTransformer2DModel(guidance_embeds=True),
        edit=_Flux,
        text=(512, 4096),
        inputs=_flux,
        sites={"early": (14,), "late": (42,)},
        one_call=False,
    ),
    Family(
        name="Qwen-Image",
        model=QwenImageTransformer2DModel,
        edit=_Qwen,
        text=(64, 3584),
        inputs=_qwen,
        sites={"early": (15,), "late": (45,)},
        one_call=False,
    ),
)
