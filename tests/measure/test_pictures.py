"""How much of a picture was kept."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkguard.measure.pictures import PSNR_CAP, kept

NAMES = {f"{m}{part}" for m in ("mse", "ssim", "psnr") for part in ("", "_inside", "_outside")}


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (16, 24, 3), dtype=np.uint8)


def box() -> np.ndarray:
    region = np.zeros((16, 24), dtype=bool)
    region[4:9, 5:15] = True
    return region


def test_the_same_picture_is_kept_in_full() -> None:
    """No error, SSIM 1, and PSNR at its cap, inside and outside."""
    scores = kept(picture(0), picture(0), box())
    assert set(scores) == NAMES
    for name, value in scores.items():
        assert value == {"mse": 0.0, "ssi": 1.0, "psn": PSNR_CAP}[name[:3]]


def test_a_change_inside_leaves_the_outside() -> None:
    """MSE outside of the region is 0, and the means by area make up the whole."""
    plain, region = picture(1), box()
    image = plain.copy()
    image[region] = 255 - image[region]
    scores = kept(image, plain, region)
    assert scores["mse_outside"] == 0
    assert scores["ssim_inside"] < scores["ssim"] < scores["ssim_outside"]
    assert scores["mse"] == pytest.approx(scores["mse_inside"] * region.mean())


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 255))
def test_values_stay_in_their_range(first: int, second: int, row: int) -> None:
    """MSE is in 0..1, SSIM in -1..1, PSNR up to its cap; both orders give the same."""
    region = np.zeros((16, 24), dtype=bool)
    region[: row % 16 + 1] = True
    scores = kept(picture(first), picture(second), region)
    other = kept(picture(second), picture(first), region)
    for name, value in scores.items():
        if math.isnan(value):
            assert name.endswith("_outside")
            assert region.all()
            continue
        low, high = {"mse": (0, 1), "ssi": (-1, 1), "psn": (0, PSNR_CAP)}[name[:3]]
        assert low <= value <= high
        assert value == pytest.approx(other[name])


def test_a_region_without_pixels_has_no_value() -> None:
    """NaN, not 0: nothing was measured there."""
    scores = kept(picture(0), picture(1), np.zeros((16, 24), dtype=bool))
    assert math.isnan(scores["mse_inside"])
    assert math.isnan(scores["ssim_inside"])
    assert math.isnan(scores["psnr_inside"])
    assert scores["mse_outside"] == scores["mse"]


def test_other_shapes_and_types_are_refused() -> None:
    """Pictures of two sizes, floats, and regions of numbers are mistakes in a measurement."""
    with pytest.raises(ValueError, match="shapes differ"):
        kept(picture(0)[:8], picture(0), box())
    with pytest.raises(ValueError, match="uint8"):
        kept(picture(0) / 255, picture(0), box())
    with pytest.raises(ValueError, match="bool"):
        kept(picture(0), picture(0), box().astype(int))
