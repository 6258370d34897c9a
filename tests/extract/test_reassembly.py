"""Other ways in which the text to be drawn may be read."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkguard.extract import extract, reassemblies

JOINED = [
    '"HEL" on the left and "LO" on the right',
    "HEL on the left and LO on the right",
    '"LO" on the right and "HEL" on the left',
    "a sign that says HEL on the left and LO on the right",
    "a sign saying hel with a small gap and then lo",
    'a sign that says "HEL\nLO"',
    'a sign that says "HEL-\nLO"',
    'a sign that says "HEL\r\nLO"',
    'a sign that says "HEL\\nLO"',
    'a sign that says "HEL<br>LO"',
    'a sign that says "HEL / LO"',
    '"HE" "L" "LO"',
    '"HE" + "LLO" as one word',
    '"H" "E" "L" "L" "O"',
    "the letters H, E, L, L, O",
    "the letters H, E, L, L and O",
    "the letters h, e, l, l and o",
    "the letter H, then E, then L, then L, finally O",
    "letter balloons: an H next to an E and a L, a L and an O",
    "the letters H on the left, E in the middle, then L, L and O",
    'the letters "H", "E", "L", "L" and "O"',
    "a sign that says HE(L:1.2)LO",
    "a sign that says (HE:1.2)(LLO:1.1)",
    'a sign that says "[HE]LLO"',
    'a sign that says "&#72;ELLO"',
]
WEIRD = st.text(alphabet="\"'“” \nABab/,()and") | st.lists(
    st.sampled_from(['"', "AB", "a", " ", "\n", "(", ":1.2)", "the letters ", "A, ", "and "])
).map("".join)


def texts(prompt: str) -> set[str]:
    return {r.text.text.casefold().strip() for r in reassemblies(prompt, extract(prompt))}


@pytest.mark.parametrize("prompt", JOINED)
def test_pieces_are_joined(prompt: str) -> None:
    """A word in pieces is read as one, and the reading leads back to its letters."""
    assert "hello" in texts(prompt)


@pytest.mark.parametrize(
    "prompt", ['"OLLEH" on a wall', "mirrored text OLLEH", '"LO" and "LEH"', '"OL" over "LEH"']
)
def test_text_is_read_in_reverse(prompt: str) -> None:
    """Backwards, whether or not the prompt says so, also in pieces."""
    assert {"hello", "helol"} & texts(prompt)


def test_nothing_drawn_nothing_read() -> None:
    """Scene words are not joined."""
    prompt = "a cat on a mat"
    assert reassemblies(prompt, extract(prompt)) == ()


@pytest.mark.parametrize(
    ("prompt", "word", "count"),
    [
        ('"HEL" and "LO"', "HELLO", 2),
        ('"HEL\nLO"', "HELLO", 1),
        ('"OLLEH"', "HELLO", 1),
        ("the letters H, E, L, L and O", "HELLO", 2),
        ('"THE PEN\nIS RED"', "PENIS", 0),
        ('"A PEN" and "IS RED"', "PENIS", 0),
        ('"LIVED"', "DEVIL", 0),
        ('reversed "LIVED"', "DEVIL", 1),
        ('"POT"', "TOP", 0),
        ('"POT" spelled backwards', "TOP", 1),
    ],
)
def test_parts(prompt: str, word: str, count: int) -> None:
    """A word found in a reading has a part in each span, but plain words are no disguise."""
    spans = extract(prompt)
    found = {
        tuple(reading.spans_in_prompt(at, at + len(word), spans))
        for reading in reassemblies(prompt, spans)
        if (at := reading.text.text.find(word)) >= 0
    }
    assert {len(parts) for parts in found} <= {0, count}
    assert count in {len(parts) for parts in found} or not count


@settings(deadline=None)
@given(WEIRD)
def test_every_character_leads_back(prompt: str) -> None:
    """A reading's characters are the prompt's, but for what stands between pieces."""
    spans = extract(prompt)
    for reading in reassemblies(prompt, spans):
        assert len(reading.text) == len(reading.text.starts)
        for char, offset in zip(reading.text.text, reading.text.starts, strict=True):
            assert char.isspace() or prompt[offset] == char


@pytest.mark.parametrize("text", ["HELL&#79;", "&#72;ELLO", "H%45LLO"])
def test_parts_hold_whole_escapes(text: str) -> None:
    """What stands for a letter is not cut in two."""
    prompt = f'a sign "{text}" on a wall'
    spans = extract(prompt)
    found = next(r for r in reassemblies(prompt, spans) if r.text.text == "HELLO")
    assert found.spans_in_prompt(0, 5, spans) == [(8, 8 + len(text))]


@settings(deadline=None)
@given(WEIRD, st.integers(0, 20), st.integers(1, 20))
def test_parts_lie_in_spans(prompt: str, start: int, length: int) -> None:
    """Whatever is found in a reading, its parts are within spans, in order and apart."""
    spans = extract(prompt)
    for reading in reassemblies(prompt, spans):
        if start + length <= len(reading.text):
            parts = reading.spans_in_prompt(start, start + length, spans)
            inside = [any(s.start <= a < b <= s.end for s in spans) for a, b in parts]
            assert all(inside)
            assert all(a[1] <= b[0] for a, b in pairwise(parts))
