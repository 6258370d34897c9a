"""Sites: the attention modules in which picture tokens read text, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from diffusers import (
    FluxTransformer2DModel,
    PixArtTransformer2DModel,
    QwenImageTransformer2DModel,
    SanaTransformer2DModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
)
from diffusers.models.attention_processor import Attention
from torch import nn

from inkguard.edit.compiled import plain
from inkguard.errors import UnsupportedModel
from inkguard.families.flux.edit import flux_sites
from inkguard.families.qwen_image.edit import qwen_sites

__all__ = ["attention_sites", "caption_sites", "cross_attention_sites", "joint_attention_sites"]


_COMPILED = "._orig_mod"
"""What `torch.compile(block)` puts into the names of a block's modules."""


def attention_sites(denoiser: Any) -> list[tuple[str, nn.Module]]:
    """Name and module of every site of a denoiser; raises UnsupportedModel for an unknown class."""
    denoiser = plain(denoiser)
    for kind, sites in _SITES.items():
        if isinstance(denoiser, kind):
            return [*sites(denoiser)]
    known = ", ".join(sorted(kind.__name__ for kind in _SITES))
    raise UnsupportedModel(
        f"the sites of a {type(denoiser).__name__} are not known; known are those of {known}"
    )


def caption_sites(
    transformer: PixArtTransformer2DModel | SanaTransformer2DModel,
) -> list[tuple[str, Attention]]:
    """Name and module of every site of PixArt's or Sana's transformer: `attn2` of each block."""
    return [
        (f"transformer_blocks.{n}.attn2", block.attn2)
        for n, block in enumerate(transformer.transformer_blocks)
    ]


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


def joint_attention_sites(transformer: SD3Transformer2DModel) -> list[tuple[str, Attention]]:
    """Name and module of every site of SD3's transformer: one a block, first to last.

    The second attention of some blocks of SD3.5 (`attn2`) reads the picture alone: never a site.
    """
    return [
        (f"transformer_blocks.{n}.attn", block.attn)
        for n, block in enumerate(transformer.transformer_blocks)
    ]


def _named(unet: nn.Module, part: str) -> Iterator[tuple[str, nn.Module]]:
    child = getattr(unet, part)
    if child is not None:
        for name, module in child.named_modules():
            yield f"{part}.{name}".replace(_COMPILED, ""), module


_SITES: Mapping[type[nn.Module], Callable[[Any], Sequence[tuple[str, nn.Module]]]] = {
    FluxTransformer2DModel: flux_sites,
    PixArtTransformer2DModel: caption_sites,
    QwenImageTransformer2DModel: qwen_sites,
    SanaTransformer2DModel: caption_sites,
    SD3Transformer2DModel: joint_attention_sites,
    UNet2DConditionModel: cross_attention_sites,
}
