"""Pictures that hold nothing to read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from inkguard.errors import VerificationError
from inkguard.verify import picture_of, refuse_blank

LEVEL = st.integers(0, 254)


@given(color=st.tuples(LEVEL, LEVEL, LEVEL), seed=st.integers(0, 99))
def test_one_colour_is_refused_also_where_rounding_moved_it(
    color: tuple[int, int, int], seed: int
) -> None:
    """Every colour, and pixels that differ by one level of 255."""
    pixels = np.full((6, 5, 3), color, dtype=np.uint8)
    pixels += np.random.default_rng(seed).integers(0, 2, pixels.shape, dtype=np.uint8)
    with pytest.raises(VerificationError, match="one colour"):
        refuse_blank(Image.fromarray(pixels))


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_two_levels_in_one_pixel_are_a_picture(channel: int) -> None:
    """One pixel of one channel is enough."""
    pixels = np.full((6, 5, 3), 100, dtype=np.uint8)
    pixels[2, 2, channel] = 102
    refuse_blank(Image.fromarray(pixels))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_pictures_of_every_mode_are_accepted(mode: str) -> None:
    """They are looked at as RGB."""
    pixels = np.zeros((6, 5), dtype=np.uint8)
    pixels[1:3] = 255
    refuse_blank(Image.fromarray(pixels).convert(mode))
    with pytest.raises(VerificationError, match="one colour"):
        refuse_blank(Image.new(mode, (5, 6)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_numbers_that_are_none_are_refused(bad: float, kind: type) -> None:
    """One of them in an array is enough: casting it would draw a black pixel."""
    pixels = np.zeros((4, 4, 3), dtype=kind)
    pixels[1, 2, 0] = bad
    with pytest.raises(VerificationError, match="NaN or infinite"):
        picture_of(pixels)


def test_an_array_becomes_its_picture() -> None:
    """Levels are rounded, and what lies beyond 0 and 1 is cut off."""
    pixels = np.zeros((1, 4, 3), dtype=np.float32)
    pixels[0, :, 0] = [-0.5, 0.5, 1.0, 1.5]
    assert np.asarray(picture_of(pixels))[0, :, 0].tolist() == [0, 128, 255, 255]


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3), (1, 4, 4, 3)])
def test_other_arrays_are_refused(shape: tuple[int, ...]) -> None:
    """The message says which shape was given."""
    with pytest.raises(VerificationError, match=r"expected a picture \(H, W, 3\)"):
        picture_of(np.zeros(shape))
