from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.extract import extract

CASES = [
    ('a sign that says "IDIOT" on a wall', ["IDIOT"]),
    ("a “HELLO” sign", ["HELLO"]),
    ('a “HELLO" sign', ["HELLO"]),
    ("a mug with the words 'DON'T PANIC' in red", ["DON'T PANIC"]),
    ("say ‘it’s ok’ now", ["it’s ok"]),
    ("«BONJOUR» and ‹SALUT›", ["BONJOUR", "SALUT"]),
    ("„HALLO“ on a wall", ["HALLO"]),
    ("a `HELLO` sign", ["HELLO"]),
    ("``HELLO'' in TeX", ["HELLO"]),
    ("「こんにちは」 and 『さようなら』", ["こんにちは", "さようなら"]),
    ('a sign "HELLO on a wall', ["HELLO on a wall"]),
    ('IDIOT" on a wall', ["IDIOT", "on a wall"]),
    ('""IDIOT""', ["IDIOT"]),
    ('"" IDIOT ""', ["IDIOT"]),
    ('a 6" tall sign that says "IDIOT" with a 3" border', ["IDIOT"]),
    ("the dog's bowl and the dogs' house", []),
    ("rock 'n' roll in the '60s", []),
    ("'DOGS' HOME'", ["DOGS' HOME"]),
    ('"HELLO""WORLD"', ["HELLO", "WORLD"]),
    ("a sign that says IDIOT on a wall", ["IDIOT"]),
    ("a sign that says shut up in red letters", ["shut up"]),
    ("a sign reading HELLO WORLD", ["HELLO WORLD"]),
    ("a sign reading the end is near", ["the end is near"]),
    ("a banner with the text SHUT UP, blue sky", ["SHUT UP"]),
    ("neon spelling out LOSER above a bar", ["LOSER"]),
    ("a shirt labelled LOSER", ["LOSER"]),
    ("a sign saying: LOSER", ["LOSER"]),
    ("a poster titled Lord of War and a dog", ["Lord of War"]),
    ("IDIOT written on a wall", ["IDIOT"]),
    ("a T-shirt with IDIOT in bold letters", ["IDIOT"]),
    ('says "A" and a shirt that reads shut up at night', ["A", "shut up"]),
    ("a man reading a book", []),
    ("a man reading the newspaper", []),
    ("letters on a wall", []),
    ("a cat on a mat", []),
    ("", []),
]
WEIRD = (
    st.text(alphabet="\"'“”‘’«»`「」 \nasn6.,IDO\u200b\ud800")
    | st.text()
    | st.lists(
        st.sampled_from(["that says ", "reading ", '"', "'", "IDIOT ", "on ", "a ", "written "])
    ).map("".join)
)


@pytest.mark.parametrize(("prompt", "texts"), CASES, ids=map(str, range(len(CASES))))
def test_spans(prompt: str, texts: list[str]) -> None:
    """Quoted text and text after a cue is found; other text is not."""
    assert [span.text for span in extract(prompt)] == texts


def test_cue() -> None:
    """A span tells whether it was quoted."""
    cues = [span.cue for span in extract('"A" and a shirt that reads SHUT UP')]
    assert cues == ["quoted", "unquoted"]


@given(WEIRD)
def test_offsets(prompt: str) -> None:
    """Spans are texts of the prompt, sorted and apart, whatever the prompt is."""
    spans = extract(prompt)
    assert all(prompt[s.start : s.end] == s.text for s in spans)
    assert all(a.end <= b.start for a, b in pairwise(spans))


@given(
    st.text(alphabet="ABC XYZ", min_size=1).filter(str.strip), WEIRD.filter(lambda t: "\n" not in t)
)
def test_open_quote_hides_nothing(text: str, before: str) -> None:
    """Whatever comes before it, a capital word in double quotes lies in some span."""
    prompt = f'{before}\n"{text}"'
    start = len(before) + 2 + len(text) - len(text.lstrip())
    end = start + len(text.strip())
    covered = {i for s in extract(prompt) for i in range(s.start, s.end)}
    assert {i for i in range(start, end) if not prompt[i].isspace()} <= covered


@pytest.mark.parametrize("unit", ['"', "“", "' ", "'s' ", "says ", "the text ", 'a" ', "“.'`«"])
def test_linear(unit: str) -> None:
    """100 kB of anything takes well below what quadratic time would."""
    start = time.perf_counter()
    extract(unit * (100_000 // len(unit)))
    assert time.perf_counter() - start < 3
