"""How much of a picture was kept: MSE, SSIM and PSNR to the unedited one, in all and by region."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["PSNR_CAP", "kept"]

PSNR_CAP = 60.0
"""In dB. Rounding to 8 bits alone is an error of 59 dB: better values mean the same picture."""


def kept(image: np.ndarray, plain: np.ndarray, region: np.ndarray) -> dict[str, float]:
    """Compare two pictures of the same seed.

    Args:
        image: the edited picture, uint8 (H, W, 3).
        plain: the unedited one, likewise.
        region: True where the text stands, bool (H, W).

    Returns:
        `mse` (units of 0..1 squared), `ssim` (mean of scikit-image's local map) and `psnr` (dB, at
        most PSNR_CAP), and the three with `_inside` and `_outside` of the region; NaN for a part
        that has no pixels.

    Raises:
        ValueError: shapes or types are others.

    """
    from skimage.metrics import structural_similarity  # the extra `measure`

    if image.shape != plain.shape or image.shape[:2] != region.shape or image.ndim != 3:
        raise ValueError(f"shapes differ: {image.shape}, {plain.shape}, region {region.shape}")
    if image.dtype != np.uint8 or plain.dtype != np.uint8 or region.dtype != np.bool_:
        raise ValueError("expected uint8 pictures and a bool region")
    _, local = structural_similarity(plain, image, channel_axis=2, full=True)
    squared = ((image.astype(np.float64) - plain) / 255) ** 2
    result = {}
    for suffix, part in (
        ("", np.ones_like(region)),
        ("_inside", region),
        ("_outside", ~region),
    ):
        mse = float(squared[part].mean()) if part.any() else math.nan
        result[f"mse{suffix}"] = mse
        result[f"ssim{suffix}"] = float(local[part].mean()) if part.any() else math.nan
        result[f"psnr{suffix}"] = _psnr(mse)
    return result


def _psnr(mse: float) -> float:
    if math.isnan(mse):
        return math.nan
    return min(PSNR_CAP, -10 * math.log10(mse)) if mse > 0 else PSNR_CAP
