"""Text with the way back to the prompt."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from inkguard.text import MappedText

PROMPTS = st.text(alphabet="abc dé中\u0301", min_size=1, max_size=20)


def places(draw: st.DrawFn, size: int, most: int = 6) -> list[int]:
    return sorted(draw(st.sets(st.integers(0, size), max_size=most)))


@st.composite
def ranges(draw: st.DrawFn, size: int) -> list[tuple[int, int]]:
    """Ranges that are in order, apart and not empty."""
    found = places(draw, size)
    return list(zip(found[::2], found[1::2], strict=False))


@st.composite
def mapped(draw: st.DrawFn, prompt: str) -> MappedText:
    """A prompt after some of all operations."""
    text = MappedText.of(prompt)
    for step in draw(st.lists(st.sampled_from(["drop", "replace", "slice", "keep"]), max_size=3)):
        if step == "drop":
            text = text.drop(draw(ranges(len(text))))
        elif step == "replace":
            edits = draw(ranges(len(text)))
            text = text.replace((a, b, draw(st.sampled_from(["", "x", "yz"]))) for a, b in edits)
        elif step == "slice":
            end = draw(st.integers(0, len(text)))
            text = text.slice(draw(st.integers(0, end)), end)
        else:
            text = text.keep([n for n in range(len(text)) if draw(st.booleans())])
    return text


texts = PROMPTS.flatmap(lambda p: st.tuples(st.just(p), mapped(p)))


def cells(text: MappedText) -> Iterator[tuple[str, int, int]]:
    return zip(text.text, text.starts, text.ends, strict=True)


@given(texts)
def test_every_character_leads_to_the_prompt(made: tuple[str, MappedText]) -> None:
    """Ranges lie in the prompt and do not go back; a character that was not replaced is the prompt's."""
    prompt, text = made
    assert all(0 <= a < b <= len(prompt) for _, a, b in cells(text))
    assert all(a <= b for a, b in pairwise(text.starts))
    assert all(char in "xyz" or prompt[a:b] == char for char, a, b in cells(text))
    if len(text):
        start, end = text.to_prompt(0, len(text))
        assert (start, end) == (text.starts[0], text.ends[-1])


@given(texts)
def test_reversing_twice_changes_nothing(made: tuple[str, MappedText]) -> None:
    """A reversed text leads to the same places."""
    _, text = made
    back = text.reverse()
    assert list(cells(back)) == list(cells(text))[::-1]
    assert list(cells(back.reverse())) == list(cells(text))
    if len(text):
        assert back.to_prompt(0, len(text)) == text.to_prompt(0, len(text))


@given(PROMPTS, st.data())
def test_cutting_and_joining_loses_nothing(prompt: str, data: st.DataObject) -> None:
    """A text is the join of its slices, with a seam at each cut."""
    text = MappedText.of(prompt)
    cuts = places(data.draw, len(prompt))
    parts = [text.slice(a, b) for a, b in pairwise((0, *cuts, len(prompt)))]
    joined = MappedText.join(parts)
    assert list(cells(joined)) == list(cells(text))
    assert set(joined.seams) - {0, len(prompt)} == set(cuts) - {0, len(prompt)}


@given(PROMPTS, st.data())
def test_dropping_keeps_the_rest(prompt: str, data: st.DataObject) -> None:
    """What is dropped and what is left are all of the text, each once."""
    gaps = data.draw(ranges(len(prompt)))
    kept = MappedText.of(prompt).drop(gaps)
    dropped = [place for a, b in gaps for place in range(a, b)]
    assert sorted([*kept.starts, *dropped]) == list(range(len(prompt)))


@given(PROMPTS, st.data())
def test_composition_is_associative(prompt: str, data: st.DataObject) -> None:
    """Three texts on top of each other lead to the same places, whichever two are composed first."""
    outer = data.draw(mapped(prompt))
    middle = data.draw(mapped(outer.text))
    inner = data.draw(mapped(middle.text))
    one = inner.through(middle).through(outer)
    other = inner.through(middle.through(outer))
    assert list(cells(one)) == list(cells(other))


@given(PROMPTS, st.data())
def test_an_operation_is_its_composition(prompt: str, data: st.DataObject) -> None:
    """Editing a mapped text is the same as editing its bare text and composing the two."""
    outer = data.draw(mapped(prompt))
    gaps = data.draw(ranges(len(outer)))
    inner = MappedText.of(outer.text).drop(gaps)
    assert list(cells(inner.through(outer))) == list(cells(outer.drop(gaps)))


@given(PROMPTS, st.data())
def test_ranges_of_the_prompt_go_there_and_back(prompt: str, data: st.DataObject) -> None:
    """What stands for a range lies within it, and is all that does."""
    text = data.draw(mapped(prompt))
    end = data.draw(st.integers(0, len(prompt)))
    start = data.draw(st.integers(0, end))
    part = text.within(start, end)
    assert part.text == text.text_of(start, end)
    assert all(start <= a and b <= end for _, a, b in cells(part))
    assert len(part) == sum(start <= a < end for a in text.starts)


def test_glue_stands_for_nothing() -> None:
    """Glue has an empty range at the end of what is before it; a seam is behind it."""
    prompt = MappedText.of("ab cd")
    joined = MappedText.join([prompt.slice(0, 2), prompt.slice(3, 5)], " ")
    assert joined.text == "ab cd"
    assert (joined.starts[2], joined.ends[2]) == (2, 2)
    assert joined.seams == (3,)
    assert joined.to_prompt(0, 5) == (0, 5)
