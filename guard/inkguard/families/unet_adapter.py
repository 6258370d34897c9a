"""What the families with a U-Net have in common: Stable Diffusion 1 and 2, SDXL, and DeepFloyd IF."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inkguard.edit.cross_attention import CrossText
from inkguard.families.base import Adapter

__all__ = ["UNET_CONFIG", "UNetAdapter"]

UNET_CONFIG = (
    "in_channels",
    "out_channels",
    "sample_size",
    "down_block_types",
    "mid_block_type",
    "up_block_types",
    "block_out_channels",
    "layers_per_block",
    "transformer_layers_per_block",
    "attention_head_dim",
    "cross_attention_dim",
    "encoder_hid_dim",
    "encoder_hid_dim_type",
    "addition_embed_type",
    "projection_class_embeddings_input_dim",
)
"""`Family.config` of these families."""


class UNetAdapter(Adapter):
    """A pipeline with a `unet`. What starts from a picture may have no size of its own to ask for."""

    edit = CrossText
    denoiser_component = "unet"

    def unit(self, pipe: Any) -> int:
        return 8

    def reads_negative(self, pipe: Any, call: Mapping[str, Any]) -> bool:
        distilled = pipe.unet.config.time_cond_proj_dim is not None
        return not distilled and super().reads_negative(pipe, call)
