"""The verdict on readings: what counts as evidence, and what the donor prompt explains."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from inkguard.errors import VerificationError
from inkguard.types import Action
from inkguard.verify import UnionReader, is_toxic, shows_toxic
from inkguard.verify.verdict import tokens_of

TOKEN = st.text("ABCDEFG", min_size=1, max_size=8)
OTHER = st.text("XYZ", min_size=1, max_size=4)
"""Shares no letter with TOKEN, so no word of one is near a word of the other."""


def allow(_text: str) -> Action:
    return Action.ALLOW


def block(_text: str) -> Action:
    return Action.BLOCK


class Says:
    """A reader that always reads the same, and counts how often."""

    def __init__(self, text: str) -> None:
        self.text, self.asked = text, 0

    def read(self, image: Image.Image) -> str:
        self.asked += 1
        return self.text


@pytest.mark.parametrize(
    ("read", "toxic"),
    [
        ("IDIOT", True),
        ("IDI0T", True),
        ("YOU ID IOT!", True),
        ("1DIOT", True),
        ("DIOT", True),
        ("IDIOTS", True),
        ("ＩＤＩＯＴ", True),
        ("I D I O T", True),
        ("YOUIDIOTYOU", True),
        ("IDAHO IOTA", False),
        ("LEMON", False),
        ("...", False),
        ("", False),
    ],
)
def test_a_word_within_one_edit_is_toxic(read: str, toxic: bool) -> None:
    """One letter misread or missing does not let the word through."""
    assert is_toxic(read, ["IDIOT"], allow) is toxic


@pytest.mark.parametrize(
    ("read", "toxic"),
    [
        ("ASS", True),
        ("A SS", True),
        ("YOU A S S", True),
        ("YOU.ASS!", True),
        ("PASTA", False),
        ("EASY AS PIE", False),
        ("CLASS", False),
        ("GRASS", False),
        ("AS", False),
        ("ASK", False),
        ("GAS STATION", False),
    ],
)
def test_a_short_word_counts_only_where_it_stands_alone(read: str, toxic: bool) -> None:
    """Three letters stand in too many harmless words, and are near too many others.

    So it is beside the text that the donor prompt asks for; where none is known, more counts.
    """
    assert is_toxic(read, ["ass"], allow, expected="TEA") is toxic


@pytest.mark.parametrize("read", ["SHUT UP", "SHUTUP", "SH UT UP", "SHUT-UP", "NOW SHUT UP OK"])
def test_a_phrase_counts_with_and_without_its_spaces(read: str) -> None:
    """OCR drops spaces and adds some."""
    assert is_toxic(read, ["shut up"], allow)
    assert not is_toxic("SHUT THE DOOR", ["shut up"], allow)


def test_words_of_scripts_without_spaces_are_found_in_a_sentence() -> None:
    """Each ideograph is a token, so a run of them is a word wherever it stands."""
    assert tokens_of("你好, world") == ["你", "好", "world"]
    assert is_toxic("今天好天", ["好天"], allow)


def test_marks_belong_to_their_letters() -> None:
    """Neither accents written apart nor vowel signs break a word in two."""
    assert tokens_of("re\u0301sume\u0301") == ["résumé"]
    assert len(tokens_of("हिंदी")) == 1


def test_the_guards_own_check_counts_too() -> None:
    """Toxic text other than the word that was removed is refused by the check."""
    assert is_toxic("SOMETHING", ["IDIOT"], block)
    assert is_toxic("SOMETHING", ["IDIOT"], lambda _: Action.SUBSTITUTE)
    assert not is_toxic("SOMETHING", ["IDIOT"], lambda _: Action.FLAG)
    assert is_toxic("SOMETHING ELSE", [], block, expected="SOMETHING")


@pytest.mark.parametrize(
    ("read", "words", "expected"),
    [
        ("DUNCE OF THE YEAR MY CLOUD MUG", ["idiot"], "DUNCE OF THE YEAR MY CLOUD MUG"),
        ("THE IDIOT GARDEN", ["nitwit", "idiot"], "THE IDIOT GARDEN"),
        ("SUN PASTA", ["ass"], "SUN PASTA"),
        ("SUN, EASY AS PIE", ["ass"], "SUN EASY AS PIE"),
        ("MOON DUMP DUMP", ["dumb"], "DUMP MOON"),
    ],
)
def test_a_perfect_substitution_is_clean(read: str, words: list[str], expected: str) -> None:
    """Text that the donor prompt asks for is no evidence, also beside a removed word that is near it."""
    assert not is_toxic(read, words, allow, expected=expected)


def test_what_is_explained_wholly_is_not_judged_again() -> None:
    """The donor prompt was checked with its exceptions; its text alone would be refused."""
    assert not is_toxic("THE IDIOT", ["nitwit"], block, expected="THE IDIOT")


@pytest.mark.parametrize(
    ("read", "words", "expected"),
    [
        ("THE IDIOT IDIOT", ["idiot"], "THE IDIOT"),
        ("THE IDIOT", ["idiot"], "THE CLOUD"),
        ("A SS", ["ass"], "A SUN"),
        ("A MUG IDIOT", ["idiot"], "A MUG"),
        ("DUMB", ["dumb"], "DUMP"),
    ],
)
def test_a_removed_word_beside_expected_text_is_toxic(
    read: str, words: list[str], expected: str
) -> None:
    """The donor prompt explains a word only as often as it asks for it."""
    assert is_toxic(read, words, allow, expected=expected)


@given(expected=st.lists(TOKEN, max_size=6), data=st.data())
def test_the_donors_own_words_are_clean_in_any_order(
    expected: list[str], data: st.DataObject
) -> None:
    """OCR may read two signs in the other order, or one of them only."""
    read = data.draw(st.permutations(expected))[: data.draw(st.integers(0, 6))]
    assert not is_toxic(" ".join(read), expected, block, expected=" ".join(expected))


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


@given(
    word=st.text("ABCDEFG", min_size=4, max_size=8),
    before=st.lists(OTHER, max_size=3),
    after=st.lists(OTHER, max_size=3),
    at=st.integers(0, 7),
    by=st.sampled_from("QRS"),
)
def test_one_substituted_letter_is_found_beside_expected_text(
    word: str, before: list[str], after: list[str], at: int, by: str
) -> None:
    """For every word of four letters and more, and every place, one wrong letter changes nothing."""
    at %= len(word)
    misread = word[:at] + by + word[at + 1 :]
    read = " ".join([*before, misread, *after])
    assert is_toxic(read, [word], allow, expected="XYZXYZX")


@given(word=st.text("ABCDEFG", min_size=5, max_size=8), around=st.tuples(OTHER, OTHER))
def test_a_long_word_is_found_inside_of_a_longer_one(word: str, around: tuple[str, str]) -> None:
    """OCR glues words together."""
    assert is_toxic(around[0] + word + around[1], [word], allow)


@given(word=st.text("ABCDEFG", min_size=1, max_size=3), around=st.tuples(OTHER, OTHER))
def test_a_short_word_is_never_found_inside_of_a_longer_one(
    word: str, around: tuple[str, str]
) -> None:
    """PASTA is clean, whatever the short word and the letters around it are."""
    assert not is_toxic(around[0] + word + around[1], [word], allow, expected="TEA")
    assert not is_toxic(word + around[1], [word], allow, expected="TEA")


@given(word=TOKEN, cuts=st.sets(st.integers(1, 7)), around=st.tuples(OTHER, OTHER))
def test_a_word_in_pieces_is_found(word: str, cuts: set[int], around: tuple[str, str]) -> None:
    """However OCR cuts a word, of any length, its pieces in a row are the word."""
    pieces = "".join(f" {c}" if n in cuts else c for n, c in enumerate(word))
    assert is_toxic(f"{around[0]} {pieces} {around[1]}", [word], allow)


@given(word=TOKEN, expected=st.lists(TOKEN | OTHER, max_size=5))
def test_a_word_more_than_expected_is_found(word: str, expected: list[str]) -> None:
    """However often the donor prompt asks for a removed word, once more is toxic."""
    read = " ".join([*expected, word])
    assert is_toxic(read, [word], allow, expected=" ".join(expected))


@given(
    read=st.lists(TOKEN | OTHER, max_size=5),
    words=st.lists(TOKEN, max_size=3),
    expected=st.lists(TOKEN | OTHER, max_size=5),
    more=TOKEN | OTHER,
)
def test_more_expected_text_never_makes_a_clean_reading_toxic(
    read: list[str], words: list[str], expected: list[str], more: str
) -> None:
    """Expected text only explains."""
    text = " ".join(read)
    if not is_toxic(text, words, allow, expected=" ".join(expected)):
        assert not is_toxic(text, words, allow, expected=" ".join([*expected, more]))


@given(st.text(max_size=30), st.lists(st.text(max_size=8), max_size=3), st.text(max_size=20))
def test_any_text_gets_a_verdict(read: str, words: list[str], expected: str) -> None:
    """Any Unicode; and what is expected is clean whatever the words are."""
    assert is_toxic(read, words, allow, expected=expected) in (True, False)
    assert not is_toxic(expected, words, block, expected=expected)


def picture() -> Image.Image:
    return Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))


@pytest.mark.parametrize(
    ("texts", "toxic", "asked"),
    [
        (("CLOUD", "CLOUD"), False, (1, 1)),
        (("CLOUD", "IDIOT"), True, (1, 1)),
        (("IDIOT", "CLOUD"), True, (1, 0)),
        (("ID", "IOT"), False, (1, 1)),
    ],
)
def test_clean_needs_every_reader_and_toxic_one(
    texts: tuple[str, str], toxic: bool, asked: tuple[int, int]
) -> None:
    """Readings are judged each by itself, and none is made after a toxic one."""
    readers = [Says(text) for text in texts]
    assert shows_toxic(UnionReader(readers), picture(), ["idiot"], allow) is toxic
    assert tuple(r.asked for r in readers) == asked


def test_each_reading_is_explained_by_itself() -> None:
    """Two engines that both read the donor's word have not read it twice."""
    union = UnionReader([Says("THE IDIOT"), Says("THE IDIOT")])
    assert not shows_toxic(union, picture(), ["idiot"], block, expected="THE IDIOT")


def test_a_picture_of_one_colour_gets_no_verdict() -> None:
    """It is an error, and no engine is asked."""
    reader = Says("")
    with pytest.raises(VerificationError, match="one colour"):
        shows_toxic(reader, Image.new("RGB", (64, 64), "navy"), ["idiot"], allow)
    assert not reader.asked
