"""Sites: the attention modules in which picture tokens read text, in the order in which they run."""

from __future__ import annotations

from collections.abc import Iterator

from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import nn

__all__ = ["cross_attention_sites"]


def cross_attention_sites(unet: UNet2DConditionModel) -> list[tuple[str, Attention]]:
    """Name and module of every site of a U-Net: down, mid, up.

    Not the order of `named_modules()`: diffusers registers the mid block last. A site reads text
    as the keys of cross-attention (`attn2`) or as added keys beside the picture's (DeepFloyd IF).
    """
    return [
        (name, module)
        for part in ("down_blocks", "mid_block", "up_blocks")
        for name, module in _named(unet, part)
        if isinstance(module, Attention)
        and (module.is_cross_attention or module.added_kv_proj_dim is not None)
    ]


def _named(unet: nn.Module, part: str) -> Iterator[tuple[str, nn.Module]]:
    child = getattr(unet, part)
    if child is not None:
        for name, module in child.named_modules():
            yield f"{part}.{name}", module
