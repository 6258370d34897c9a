"""Pictures as engines read them; those that hold nothing to read are errors, not clean pictures."""

from __future__ import annotations

import numpy as np
from PIL import Image

from inkguard.errors import VerificationError

__all__ = ["enlarged", "picture_of", "refuse_blank"]

_MIN_SIDE = 256
"""Smaller pictures are enlarged until their shorter side has this many pixels."""
_FLAT = 1
"""Levels of 255 by which pixels of "one colour" may differ.

A pipeline whose numbers overflowed decodes to one value; rounding to 8 bits moves that by at most one.
"""


def enlarged(image: Image.Image) -> tuple[Image.Image, int]:
    """A picture of RGB pixels that is large enough to be read, and how many times it was enlarged."""
    scale = max(1, -(-_MIN_SIDE // min(image.size)))
    size = (image.width * scale, image.height * scale)
    return image.convert("RGB").resize(size, Image.Resampling.BICUBIC), scale


def refuse_blank(image: Image.Image) -> None:
    """Raise VerificationError for a picture of one colour: a model that failed drew it, not a scene.

    Half precision that overflows ends so, and OCR would call such a picture clean.
    """
    if all(high - low <= _FLAT for low, high in _extremes(image.convert("RGB"))):
        raise VerificationError(
            "the picture is of one colour, so nothing was drawn: the model's numbers may have "
            "overflowed (another dtype helps)"
        )


def picture_of(pixels: np.ndarray) -> Image.Image:
    """The picture of an array (H, W, 3) of numbers from 0 to 1.

    Raises VerificationError where a number is NaN or infinite; numbers beyond 0 and 1 are cut off, as
    any viewer does.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise VerificationError(f"expected a picture (H, W, 3), got {pixels.shape}")
    if not np.isfinite(pixels).all():
        raise VerificationError("the picture's pixels are not all numbers (NaN or infinite)")
    return Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))


def _extremes(image: Image.Image) -> list[tuple[int, int]]:
    """Lowest and highest level of each channel."""
    pixels = np.asarray(image)
    low, high = pixels.min((0, 1)).tolist(), pixels.max((0, 1)).tolist()
    return list(zip(low, high, strict=True))
