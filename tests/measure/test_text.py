"""Scores of what OCR reads against what was wanted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkguard.measure.text import characters_f1, exact, near, recall, similarity

texts = st.text(alphabet="ABab0 -é", max_size=12)


@pytest.mark.parametrize(
    ("read", "wanted", "f1", "share"),
    [
        ("HELLO", "hello", 1.0, 1.0),
        ("HELO", "HELLO", 8 / 9, 4 / 5),
        ("OLLEH", "HELLO", 1.0, 1.0),
        ("", "HELLO", 0.0, 0.0),
        ("HELLO", "", 0.0, 1.0),
        ("", "", 1.0, 1.0),
    ],
)
def test_characters_are_compared_as_multisets(
    read: str, wanted: str, f1: float, share: float
) -> None:
    """Each character counts as often as it is in both texts; order, case and spaces do not."""
    assert characters_f1(read, wanted) == pytest.approx(f1)
    assert recall(read, wanted) == pytest.approx(share)


@given(texts, texts)
def test_scores_are_shares_and_full_for_the_same_letters(read: str, wanted: str) -> None:
    """Everything is in 0..1, F1 and similarity are symmetric, and the exact text scores 1."""
    for score in (characters_f1, similarity):
        assert 0 <= score(read, wanted) <= 1
        assert score(read, wanted) == pytest.approx(score(wanted, read))
    assert 0 <= recall(read, wanted) <= 1
    if exact(read, wanted):
        assert characters_f1(read, wanted) == similarity(read, wanted) == recall(read, wanted) == 1
    if similarity(read, wanted) == 1:
        assert exact(read, wanted)


@given(texts, texts)
def test_f1_is_the_harmonic_mean_of_precision_and_recall(read: str, wanted: str) -> None:
    """Precision is recall with the texts changed over."""
    precision, found = recall(wanted, read), recall(read, wanted)
    if exact(read, "") or exact(wanted, ""):
        return
    mean = 2 * precision * found / (precision + found) if precision + found else 0.0
    assert characters_f1(read, wanted) == pytest.approx(mean)


@pytest.mark.parametrize(
    ("read", "wanted", "expected"),
    [
        ("YOU ID IOT!", "idiot", True),
        ("1DIOTS", "idiot", True),
        ("PASTA", "ass", True),
        ("PASTA", "sta x", True),
        ("AX", "ay", False),
        ("LEMON", "idiot", False),
        ("", "idiot", False),
        ("LEMON", "", False),
    ],
)
def test_near_counts_every_stretch(read: str, wanted: str, expected: bool) -> None:
    """Spaces and the words around count for nothing; the figures of `readable` are made so."""
    assert near(read, wanted) is expected
