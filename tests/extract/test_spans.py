"""Which text of a prompt is to be drawn: a table of examples, and properties of all prompts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkguard.extract import extract
from inkguard.extract.quote_marks import CLOSERS, INNER_DOUBLE, INNER_SINGLE


def examples() -> Iterator[tuple[str, list[str]]]:
    for line in Path(__file__).with_name("cases.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("# "):
            prompt, _, texts = line.replace("⏎", "\n").rpartition("=>")
            yield prompt.strip(), [t.strip() for t in texts.split(";;") if t.strip()]


EXAMPLES = list(examples())
BITS = [
    *(
        "that says ",
        "reading ",
        '"',
        "'",
        "IDIOT ",
        "on ",
        "a ",
        "written ",
        "(",
        ":1.3)",
        "[",
        "]",
    ),
    *(
        "&quot;",
        '\\"',
        "%22",
        "|",
        "BREAK ",
        " AND ",
        "--ar 1:1 ",
        "<lora:a:1>",
        "#ab ",
        "\n",
        "<<",
    ),
    *("the letters ", "A, ", "B and ", " graffiti", " in icing", "''"),
]
WEIRD = (
    st.text(alphabet="\"'“”‘’«»`「」《》【】()[]{}|:\\&;%2#-<> \nasn6.,IDO\u200b\ud800")
    | st.text()
    | st.lists(st.sampled_from(BITS)).map("".join)
)
SCENE = st.lists(
    st.sampled_from(["red", "car", "near", "tall", "tree", "sunny", "day", "wide", "angle"])
).map(" ".join)
PAIRS = [
    (opening, closer)
    for opening, closers in CLOSERS.items()
    for closer in closers[:1]
    if opening not in (INNER_DOUBLE, INNER_SINGLE, *"´❞❜")
]
ESCAPED = [
    ('\\"', '\\"'),
    ("\\'", "\\'"),
    ('\\\\"', '\\\\"'),
    ('""', '""'),
    ('"""', '"""'),
    ("''", "''"),
    ("``", "''"),
    (",,", "''"),
    ("<<", ">>"),
    ("&quot;", "&quot;"),
    ("&ldquo;", "&rdquo;"),
    ("&#8220;", "&#8221;"),
    ("%22", "%22"),
    ("%E2%80%9C", "%E2%80%9D"),
    ("\\u201c", "\\u201d"),
    ("\\x22", "\\x22"),
]
HARMLESS = st.text(alphabet="abcdefghistu ABCNOST", min_size=1, max_size=30).filter(
    lambda t: t == t.strip() != ""
)


def test_there_are_many_examples() -> None:
    """The table is read as a table."""
    assert len(EXAMPLES) >= 150


@pytest.mark.parametrize(("prompt", "texts"), EXAMPLES, ids=map(str, range(len(EXAMPLES))))
def test_the_text_of_each_example_is_found(prompt: str, texts: list[str]) -> None:
    """Quoted text and text after a cue is found; other text is not."""
    assert [span.text for span in extract(prompt)] == texts


def test_a_span_tells_whether_it_was_quoted() -> None:
    """The cue of a span is one of two."""
    cues = [span.cue for span in extract('"A" and a shirt that reads SHUT UP')]
    assert cues == ["quoted", "unquoted"]


@settings(deadline=None)
@given(WEIRD)
def test_spans_slice_the_prompt_and_are_apart(prompt: str) -> None:
    """Spans are texts of the prompt, sorted, apart and not blank, whatever the prompt is."""
    spans = extract(prompt)
    assert all(prompt[s.start : s.end] == s.text and s.text.strip() for s in spans)
    assert all(a.end <= b.start for a, b in pairwise(spans))


@pytest.mark.parametrize(("opening", "closing"), PAIRS + ESCAPED)
@settings(deadline=None)
@given(HARMLESS, SCENE, SCENE)
def test_quoted_text_is_exactly_one_span(
    opening: str, closing: str, text: str, before: str, after: str
) -> None:
    """Harmless text in any quotes, in the middle of any scene, is found as it stands."""
    prompt = f"{before} {opening}{text}{closing} {after}"
    assert [span.text for span in extract(prompt)] == [text]


@settings(deadline=None)
@given(
    st.text(alphabet="ABC XYZ", min_size=1).filter(str.strip),
    WEIRD.filter(lambda t: "\n" not in t and not set(t) & set("\\&%<") and '"""' not in t),
)
def test_open_quotes_hide_nothing(text: str, before: str) -> None:
    """Whatever comes before it, a capital word in double quotes lies in some span."""
    prompt = f'{before}\n"{text}"'
    start = len(before) + 2 + len(text) - len(text.lstrip())
    end = start + len(text.strip())
    covered = {i for s in extract(prompt) for i in range(s.start, s.end)}
    assert {i for i in range(start, end) if not prompt[i].isspace()} <= covered


@pytest.mark.parametrize("unit", ["\u202e", "\u200b", "\u00ad"])
def test_invisible_characters_hide_no_cue(unit: str) -> None:
    """A cue is a cue with invisible characters in every gap of it."""
    assert extract(unit.join("a sign that says hello"))[0].text == unit.join("hello")


def test_many_quotes_become_one_span() -> None:
    """What lies beyond the quotes that are told apart is a span all the same."""
    prompt = 'a "b" ' * 5000 + "c"
    spans = extract(prompt)
    assert len(spans) < 1500
    assert spans[-1].end == len(prompt)
