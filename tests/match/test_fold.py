"""What Unicode can do to a letter is undone, and every letter leads back to where it stands."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkguard.match.fold import FoldedText, fold

TEXTS = st.text() | st.text(alphabet="aA1!._- ɐʇ\u0301\u200bİßﬁІ𝕀\ud800")
WRITTEN = [
    "IDIOT",
    "ＩＤＩＯＴ",
    "ІDІОТ",
    "I\u0336D\u0336I\u0336O\u0336T\u0336",
    "🅸🅳🅸🅾🆃",
    "𝕀𝔻𝕀𝕆𝕋",
    "ⓘⓓⓘⓞⓣ",
]


@pytest.mark.parametrize("text", WRITTEN, ids=map(str, range(len(WRITTEN))))
def test_letters_are_folded(text: str) -> None:
    """Each way of writing reads as the plain word, over all of the original."""
    folded = fold(text)
    assert folded.text == "idiot"
    assert folded.to_prompt(0, 5) == (0, len(text))


@given(TEXTS)
def test_offsets_rise_within_the_text(text: str) -> None:
    """Each folded character stands for a range of the original; ranges are in order."""
    folded = fold(text)
    assert len(folded.text) == len(folded.starts) == len(folded.ends)
    assert all(a <= b for a, b in pairwise(folded.starts))
    assert all(0 <= a < b <= len(text) for a, b in zip(folded.starts, folded.ends, strict=True))


@given(TEXTS, st.integers(0, 30), st.integers(0, 30))
def test_a_part_of_a_fold_is_the_fold_of_the_part(text: str, start: int, length: int) -> None:
    """Folding once and cutting is the same as cutting and folding, with offsets of the whole."""
    end = min(len(text), start + length)
    start = min(start, end)
    part, own = FoldedText.of(text).within(start, end), fold(text[start:end])
    assert part.raw.text == text[start:end]
    assert part.plain.text == own.text
    assert list(part.plain.starts) == [start + i for i in own.starts]
    assert list(part.plain.ends) == [start + i for i in own.ends]


@given(st.text())
def test_fold_rests(text: str) -> None:
    """Folding a fold changes nothing."""
    once = fold(text).text
    assert fold(once).text == once
