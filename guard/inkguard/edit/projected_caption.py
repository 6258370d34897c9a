"""Substitution in transformers that project the caption once, before their blocks: PixArt and Sana.

At a site (`attn2` of a block) flagged rows read the donor's text instead of their own, as in a U-Net
(cross_attention.py). Here that text has gone through the model's own projection and norm, so the donor's
goes through them too, in a batch of the same shape: rounding is then the same. These models mask the
padding of captions; a flagged row reads with its donor's mask.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import PixArtTransformer2DModel, SanaTransformer2DModel

from inkguard.edit.cross_attention import CrossText
from inkguard.edit.rows import RowMatch

__all__ = ["CaptionText"]


class CaptionText(CrossText):
    """Substitution in a transformer whose blocks have cross-attention in `attn2`; `sites` are numbers of blocks.

    A call with an `encoder_attention_mask` needs the flagged prompts' `donor_mask`. Refused on entering: caches,
    fused projections.
    """

    denoisers = (PixArtTransformer2DModel, SanaTransformer2DModel)

    @classmethod
    def sites_of(cls, denoiser: Any) -> list[tuple[str, Any]]:
        return [
            (f"transformer_blocks.{n}.attn2", block.attn2)
            for n, block in enumerate(denoiser.transformer_blocks)
        ]

    def _project(self, match: RowMatch, text: torch.Tensor) -> torch.Tensor:
        read = text.clone()
        read[match.rows] = match.donors
        for name in ("caption_projection", "caption_norm"):
            layer = getattr(self._denoiser, name, None)
            read = read if layer is None else layer(read)
        return read[match.rows]
