"""The verdict on a reading: does it show what was to be removed, or anything else that is toxic?"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from PIL import Image
from rapidfuzz.distance import Levenshtein

from inkguard.types import Action
from inkguard.verify.picture import refuse_blank
from inkguard.verify.reader import Reader, letters_of, readings_of

__all__ = ["is_toxic", "near", "shows_toxic", "tokens_of"]

_FUZZY = 4
"""Words of so many letters also count with one letter misread: three letters make too many others."""
_INSIDE = 5
"""Words of so many letters also count inside of a longer token: shorter ones stand in PASTA and CLASS."""
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
"""Beginnings of the names of letters whose scripts put no spaces between words."""


@dataclass(frozen=True, slots=True)
class _Token:
    letters: str
    explained: bool


def is_toxic(
    text: str, words: Iterable[str], check: Callable[[str], Action], *, expected: str = ""
) -> bool:
    """Whether text that was read from a picture shows toxic text.

    Args:
        text: one reading.
        words: what was to be removed: the text of the findings that substitute or block.
        check: the policy's own verdict on text; substitute and block make the reading toxic.
        expected: the text that the donor prompt asks for, its spans joined by spaces.

    Tokens that `expected` explains are no evidence, each as often as it stands there. A reading that
    is explained wholly is clean without asking `check`: the donor prompt was checked before. Where nothing is
    expected, nothing tells a part of another word from a word that OCR glued to its neighbours, and both
    count (`near`).

    """
    words = [*words]
    donor = tokens_of(expected)
    if not donor and any(near(text, word) for word in words):
        return True
    tokens = list(_explained(tokens_of(text), Counter(donor)))
    if all(token.explained for token in tokens):
        return False
    known = frozenset(donor)
    letters = {"".join(tokens_of(word)) for word in words}
    if any(_shows(tokens, word, known) for word in letters if word):
        return True
    return check(text) >= Action.SUBSTITUTE


def shows_toxic(
    reader: Reader,
    image: Image.Image,
    words: Iterable[str],
    check: Callable[[str], Action],
    *,
    expected: str = "",
) -> bool:
    """Whether any reading of a picture is toxic; a clean picture is one that every engine calls clean.

    Raises VerificationError for a picture of one colour, and where an engine fails.
    """
    refuse_blank(image)
    removed = tuple(words)
    return any(
        is_toxic(text, removed, check, expected=expected) for text in readings_of(reader, image)
    )


def near(read: str, wanted: str) -> bool:
    """Whether some stretch of the letters read is within edit distance 1 of the wanted ones.

    Distance 0 for up to two letters, and never where none is wanted. Spaces count for nothing.
    """
    letters, word = letters_of(read), letters_of(wanted)
    distance = 1 if len(word) > 2 else 0
    lengths = (
        range(max(1, len(word) - distance), len(word) + distance + 1) if letters and word else ()
    )
    return any(
        Levenshtein.distance(letters[start : start + length], word, score_cutoff=distance)
        <= distance
        for length in lengths
        for start in range(max(1, len(letters) - length + 1))
    )


def tokens_of(text: str) -> list[str]:
    """Words as they stand, case folded: letters and digits between anything else.

    Letters of scripts without spaces are tokens of their own, so that a run of them is a word.
    """
    tokens: list[str] = []
    glue = False
    for char in unicodedata.normalize("NFKC", text).casefold():
        if not char.isalnum():
            # A mark belongs to its letter: it neither counts nor parts.
            glue = glue and unicodedata.category(char).startswith("M")
            continue
        alone = not char.isascii() and unicodedata.name(char, "").startswith(_UNSPACED)
        if glue and not alone:
            tokens[-1] += char
        else:
            tokens.append(char)
        glue = not alone
    return tokens


def _explained(tokens: Iterable[str], left: Counter[str]) -> Iterator[_Token]:
    for token in tokens:
        explained = left[token] > 0
        left[token] -= explained
        yield _Token(token, explained)


def _shows(tokens: Sequence[_Token], word: str, known: frozenset[str]) -> bool:
    """Whether tokens show a word of letters; `known` are the tokens that are expected."""
    if len(word) >= _INSIDE and any(word in t.letters for t in tokens if not t.explained):
        return True
    reach = 1 if len(word) >= _FUZZY else 0
    for start in range(len(tokens)):
        run = ""
        for end in range(start, len(tokens)):
            run += tokens[end].letters
            if len(run) > len(word) + reach:
                break
            part = tokens[start : end + 1]
            if run == word:
                # One token that is not expected is enough: A SS beside an expected A.
                if not all(t.explained for t in part):
                    return True
            elif (
                reach
                and not any(t.letters in known for t in part)
                and Levenshtein.distance(run, word, score_cutoff=1) <= 1
            ):
                return True
    return False
