"""Where text stands, on rendered pictures whose truth is known, and by the real OCR."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from inkguard.measure.region import boxes_region, sign_region
from inkguard.measure.world.captions import sample_scene
from inkguard.measure.world.scene import Scene, render
from inkguard.verify import RapidReader


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


def test_boxes_make_a_region_that_is_a_little_wider() -> None:
    """By a 64th of the picture's own shorter side, at least two pixels, and never beyond its edges."""
    boxes = [(1.2, 30.5, 20.0, 40.0), (50.0, 50.0, 60.0, 63.8)]
    small = boxes_region(boxes, (64, 96))
    assert small[28:42, 0:22].all()
    assert small[48:64, 48:62].all()
    assert small.sum() == 14 * 22 + 16 * 14
    large = boxes_region([(100.0, 200.0, 300.0, 220.0)], (1024, 1536))
    assert large.sum() == (20 + 2 * 16) * (200 + 2 * 16)
    assert not boxes_region([], (64, 96)).any()
