"""The synthetic world and its captions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, binary_erosion

from inkguard.measure.world.captions import caption, held_out, sample_scene, sample_text
from inkguard.measure.world.scene import CELL, LETTERS, MAX_LETTERS, SHAPES, Scene, render
from training.encoders import spelling, text_places
from training.tokenizers import t5_tokenizer

TOKENIZER = t5_tokenizer()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_pictures_hold_the_text_in_their_letter_cells(seed: int) -> None:
    """The truth about the cells spells the scene's text, inside the sign."""
    rng = np.random.default_rng(seed)
    scene = sample_scene(rng)
    picture = render(scene, rng)
    rows = [row for row in picture.cells.tolist() if row[0] >= 0]
    assert len(rows) == 2
    assert "".join(LETTERS[i] for i in rows[0]).strip() == scene.text.strip()
    assert picture.sign_box[1] < picture.sign_box[3]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_shapes_stand_in_their_cells(seed: int) -> None:
    """Another shape changes the picture in the shape's cells and in half of a cell around them."""
    scene = sample_scene(np.random.default_rng(seed))
    circle, sun = (
        render(replace(scene, shape=shape), np.random.default_rng(seed))
        for shape in ("circle", "sun")
    )
    assert np.array_equal(circle.shape_cells, sun.shape_cells)
    inside = np.kron(circle.shape_cells, np.ones((CELL, CELL), bool))
    around = binary_dilation(inside, np.ones((3, 3), bool), iterations=CELL // 2 + 1)
    changed = (circle.pixels != sun.pixels).any(-1)
    assert changed[inside].mean() > 0.1
    assert not changed[~around].any()
    beside = ~binary_dilation(circle.silhouette | sun.silhouette, np.ones((3, 3), bool))
    assert not changed[beside].any()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_silhouette_is_where_the_shape_is_drawn(shape: str) -> None:
    """The pixels that leave the background, but for those of the sign and at the shape's edge."""
    scene = Scene(background="white", sign="gray", shape_color="red", shape=shape, text="")
    picture = render(scene, np.random.default_rng(7))
    left, top, right, bottom = picture.sign_box
    free = np.ones(picture.silhouette.shape, bool)
    free[top:bottom, left:right] = False
    drawn = np.abs(picture.pixels.astype(int) - picture.pixels[0, 0]).max(-1) > 60
    edge = binary_dilation(picture.silhouette) & ~binary_erosion(picture.silhouette)
    assert np.array_equal(drawn[free & ~edge], picture.silhouette[free & ~edge])
    assert picture.silhouette.sum() > 100


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_every_caption_is_tokenized_letter_by_letter(seed: int) -> None:
    """Whatever the wording, the tokens of the text to draw spell it."""
    rng = np.random.default_rng(seed)
    said = caption(sample_scene(rng), rng)
    letters, _ = spelling(TOKENIZER, [said])
    spelled = "".join(LETTERS[k - 1] for k in letters[0].tolist() if k)
    assert spelled.replace(" ", "") == said.scene.text.replace(" ", "")


def test_no_training_text_is_held_out() -> None:
    """The 300 held-out texts never come out of the sampler, and the list is the hashed one."""
    rng = np.random.default_rng(0)
    assert len(held_out()) == 300
    texts = {sample_text(rng) for _ in range(3000)}
    assert not texts & held_out()
    assert max(map(len, texts)) <= MAX_LETTERS


@pytest.mark.parametrize("quotes", ['""', "“”", "''", "«»", "``", "「」"])
def test_quoted_scene_words_are_spelled(quotes: str) -> None:
    """A colour's name inside quotes is text, not a colour."""
    tokens = TOKENIZER.tokenize(f"a sign that says {quotes[0]}red{quotes[1]} on a red wall")
    assert tokens.count("red") == 1
    assert "##r" in tokens


def test_words_that_are_quoted_one_by_one_share_a_sign() -> None:
    """Half of the two-word texts are asked for like that; every letter keeps its place in the text."""
    rng, apart, together = np.random.default_rng(3), 0, 0
    for _ in range(60):
        said = caption(sample_scene(rng, "DUMB HELLO"), rng)
        places = text_places(said)
        letters = {place: said.caption[at].upper() for at, place in places.items()}
        assert {n: c for n, c in enumerate("DUMB HELLO") if c != " "}.items() <= letters.items()
        apart += 4 not in letters
        together += 4 in letters
    assert min(apart, together) > 15
