"""Where text stands, on rendered pictures whose truth is known, and by the real OCR."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from guard.measure import ocr_region, sign_region
from guard.reference.captions import sample_scene
from guard.reference.world import Scene, render
from guard.verify import RapidReader


@pytest.fixture(scope="module")
def reader() -> RapidReader:
    return RapidReader()


@pytest.mark.parametrize("zoom", [1, 3])
def test_the_signs_box_is_found_in_rendered_truth(zoom: int) -> None:
    """On 60 rendered scenes the region is the very box that was drawn, also in enlarged pictures."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        scene = sample_scene(rng, "HELLO")
        picture = render(scene, rng)
        left, top, right, bottom = (v * zoom for v in picture.sign_box)
        pixels = picture.pixels.repeat(zoom, 0).repeat(zoom, 1)
        truth = np.zeros(pixels.shape[:2], dtype=bool)
        truth[top:bottom, left:right] = True
        np.testing.assert_array_equal(sign_region(pixels, scene.sign), truth)


def test_two_signs_are_both_text() -> None:
    """Where a model drew the sign at the top and at the bottom, the region holds both."""
    scene = Scene(background="blue", sign="yellow", shape_color="red", shape="star", text="HELLO")
    places = {}
    for seed in range(20):
        picture = render(scene, np.random.default_rng(seed))
        places[picture.sign_box[1] < 32] = picture
    top, bottom = places[True], places[False]
    pixels = np.concatenate([top.pixels[:32], bottom.pixels[32:]])
    region = sign_region(pixels, "yellow")
    assert region[:32][10:20, 10:80].all()
    assert region[45:55, 10:80].all()
    assert not region[30:34].any()


def test_ocr_boxes_lie_in_the_pictures_own_pixels(reader: RapidReader) -> None:
    """The box of a line is within the sign although small pictures are enlarged for reading."""
    scene = Scene(background="blue", sign="yellow", shape_color="red", shape="star", text="HELLO")
    picture = render(scene, np.random.default_rng(0))
    image = Image.fromarray(picture.pixels)
    (line,) = reader.lines(image)
    assert line.text == reader.read(image) == "HELLO"
    left, top, right, bottom = line.box
    assert picture.sign_box[0] <= left < right <= picture.sign_box[2]
    assert picture.sign_box[1] - 1 <= top < bottom <= picture.sign_box[3] + 1


def test_the_ocr_region_is_a_union_that_grows(reader: RapidReader) -> None:
    """It holds each picture's own region, and widening it only adds pixels, within the picture."""
    images = []
    for seed in (1, 2, 3):
        rng = np.random.default_rng(seed)
        images.append(Image.fromarray(render(sample_scene(rng, "WELCOME"), rng).pixels))
    union = ocr_region(reader, images, 2)
    for image in images:
        own = ocr_region(reader, [image], 2)
        assert own.any()
        assert not (own & ~union).any()
    wide = ocr_region(reader, images, 40)
    assert wide.sum() > union.sum()
    assert not (union & ~wide).any()
    assert not ocr_region(reader, [Image.new("RGB", (96, 64))], 2).any()


def test_pictures_of_several_sizes_have_no_union(reader: RapidReader) -> None:
    """Nor has no picture at all."""
    with pytest.raises(ValueError, match="several sizes"):
        ocr_region(reader, [Image.new("RGB", (96, 64)), Image.new("RGB", (64, 64))], 2)
    with pytest.raises(ValueError, match="no picture"):
        ocr_region(reader, [], 2)
