"""What nobody may get past the lists with, as properties over all terms of the default policy."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkguard.match.matcher import Matcher
from inkguard.policy.load import load_policy
from inkguard.types import Action

POLICY = load_policy()
LISTS = POLICY.matcher
STOPPED = [e.term for e in POLICY.terms if e.action >= Action.SUBSTITUTE]
TERMS = st.sampled_from(STOPPED)
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e"
CYRILLIC = dict(zip("aceopxyijsABCEHKMOPTX", "асеорхуіјѕАВСЕНКМОРТХ", strict=True))
HARMLESS = st.sampled_from(["a lovely day", "1 + 1 = 2", "(hello)", "e-mail: x@y.org", "***", "😀"])


def found(lists: Matcher, text: str) -> bool:
    return any(m.entry.action >= Action.SUBSTITUTE for m in lists.find(text))


@settings(max_examples=300, deadline=None)
@given(TERMS, st.randoms(use_true_random=False))
def test_invisible_characters(term: str, chance: random.Random) -> None:
    """Characters that are drawn as nothing never turn a hit into a miss, wherever they stand."""
    text = "".join(c + chance.choice(ZERO_WIDTH) * chance.randint(0, 2) for c in term)
    assert found(LISTS, text)


@settings(max_examples=300, deadline=None)
@given(TERMS, st.randoms(use_true_random=False))
def test_case(term: str, chance: random.Random) -> None:
    """Nor does any mixture of capitals and small letters."""
    assert found(LISTS, "".join(chance.choice((c.upper(), c.lower())) for c in term))


@settings(max_examples=300, deadline=None)
@given(TERMS, st.randoms(use_true_random=False))
def test_confusables(term: str, chance: random.Random) -> None:
    """Nor do look-alikes of another script, a few or all."""
    share = chance.random()
    swapped = [CYRILLIC.get(c, c) if chance.random() < share else c for c in term]
    assert found(LISTS, "".join(swapped))


@settings(max_examples=300, deadline=None)
@given(TERMS, HARMLESS, HARMLESS, st.sampled_from([" ", "\n", ", ", " - "]))
def test_harmless_text_around(term: str, before: str, after: str, gap: str) -> None:
    """Nor does harmless text around it."""
    assert found(LISTS, f"{before}{gap}{term}{gap}{after}")


@pytest.mark.parametrize("text", ["PUSS?", "WAN?", "BIT??", "WHO??"])
def test_a_question_mark_still_masks(text: str) -> None:
    """What is left may be an English word: it is short, or the term is worse than mild."""
    assert found(LISTS, text)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=string.printable + "éßａ①ⓐ🇦\u0301\u200bТ") | st.text())
def test_reading_is_bounded(text: str) -> None:
    """No text grows beyond Unicode's own mappings, and every match slices the original."""
    for match in LISTS.find(text):
        assert 0 <= match.start < match.end <= len(text)


UNITS = {
    "leet": "f4c5h17$!|(u. ",
    "masks": "f**k a***s ",
    "stars": "*",
    "at signs": "@",
    "letters apart": "f u c k s ",
    "turned": "ʇıɥs ",
    "doubled": "aass ",
    "shapes": "\\/|-|",
    "one and a mark": "1!",
    "glued": "youfuckyou",
    "marks": "a\u0301\u0302",
    "unknown words": "qorbatu zelomi ",
}


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_time_is_linear(unit: str, seconds: Callable[[Callable[[], object]], float]) -> None:
    """Four times the text takes no more than about four times as long, for any kind of text."""
    short, long = ((unit * size)[:size] for size in (5_000, 20_000))
    assert seconds(lambda: LISTS.find(long)) < 10 * seconds(lambda: LISTS.find(short)) + 0.02
