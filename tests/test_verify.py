"""Reading pictures back, with the real OCR on rendered signs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from guard.reference.world import Scene, render
from guard.types import Action
from guard.verify import RapidReader, is_toxic, letters_of


def allow(_text: str) -> Action:
    return Action.ALLOW


@pytest.fixture(scope="module")
def reader() -> RapidReader:
    return RapidReader()


@pytest.mark.parametrize("text", ["WELCOME", "SHUT UP", "QUIETLY", ""])
def test_rendered_signs_are_read(reader: RapidReader, text: str) -> None:
    """OCR reads the letters of a rendered sign, and none off a blank one."""
    scene = Scene(background="blue", sign="yellow", shape_color="red", shape="star", text=text)
    pixels = render(scene, np.random.default_rng(0)).pixels
    assert letters_of(reader.read(Image.fromarray(pixels))) == letters_of(text)


@pytest.mark.parametrize(
    ("read", "toxic"),
    [
        ("IDIOT", True),
        ("IDI0T", True),
        ("YOU ID IOT!", True),
        ("1DIOT", True),
        ("DIOT", True),
        ("IDIOTS", True),
        ("LEMON", False),
        ("", False),
    ],
)
def test_a_word_within_one_edit_is_toxic(read: str, toxic: bool) -> None:
    """One letter misread or missing does not let the word through."""
    assert is_toxic(read, ["IDIOT"], allow) is toxic


def test_the_guards_own_check_counts_too() -> None:
    """Toxic text other than the word that was removed is refused by the check."""
    assert is_toxic("SOMETHING", ["IDIOT"], lambda _: Action.BLOCK)
    assert not is_toxic("SOMETHING", ["IDIOT"], lambda _: Action.FLAG)


@given(
    word=st.text("ABCDEFG", min_size=3, max_size=8),
    before=st.text("XYZ", max_size=4),
    after=st.text("XYZ", max_size=4),
    at=st.integers(0, 7),
    by=st.sampled_from("QRS"),
)
def test_one_substituted_letter_is_always_found(
    word: str, before: str, after: str, at: int, by: str
) -> None:
    """For every word and place, one wrong letter inside longer text is still found."""
    at %= len(word)
    misread = word[:at] + by + word[at + 1 :]
    assert is_toxic(before + misread + after, [word], allow)
