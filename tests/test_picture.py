"""Pictures are converted when they are asked for, and not before."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from inkguard.picture import Picture


def png(colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 4), colour).save(file, "PNG")
    return file.getvalue()


def test_a_file_that_passes_through_is_not_decoded() -> None:
    """What is no picture at all is handed on as it came, and fails where it is looked at."""
    picture = Picture(png=b"no picture")
    assert picture.png == b"no picture"
    with pytest.raises(OSError, match="cannot identify"):
        _ = picture.image


def test_pixels_and_file_are_the_same_picture() -> None:
    """Each is made from the other one, once."""
    read, drawn = Picture(png=png()), Picture(image=Image.new("RGB", (8, 4), "red"))
    assert read.image.getpixel((0, 0)) == (255, 0, 0)
    assert read.image is read.image
    assert drawn.png is drawn.png
    assert (read, hash(read)) == (drawn, hash(drawn))
    assert read != Picture(png=png("blue"))


def test_a_picture_is_made_from_one_thing() -> None:
    """Two could differ, and none is no picture."""
    for given in ({}, {"png": b"x", "image": Image.new("RGB", (1, 1))}):
        with pytest.raises(TypeError, match="from pixels or from a file"):
            Picture(**given)  # type: ignore[arg-type]
