"""The adapter of PixArt-alpha and PixArt-sigma."""

from __future__ import annotations

from typing import Any

from inkguard.families.caption_adapter import CaptionAdapter

__all__ = ["PixArtAdapter"]


class PixArtAdapter(CaptionAdapter):
    """`PixArtAlphaPipeline` and `PixArtSigmaPipeline`: T5 reads the caption, padded and masked.

    Resolution bins and the size that conditions PixArt-alpha's time embedding are left as they are.
    """

    def unit(self, pipe: Any) -> int:
        # The pipelines want multiples of 8, and without bins the latents are cut into whole patches.
        return max(8, int(pipe.vae_scale_factor) * int(pipe.transformer.config.patch_size))
