"""Words cut in two by a gap: "idi ot", "idi  - ot"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from inkguard.languages.dictionary import english_words
from inkguard.languages.english import COMMON
from inkguard.match.term_index import Index
from inkguard.match.term_pattern import Form, single_letters
from inkguard.match.word_stream import Line

__all__ = ["split_words"]

_WORD = re.compile(r"[^\W_]+")
_WIDEST_GAP = 3
_FEWEST_LETTERS = 4
_MOST_LETTERS = 20
_SHORTEST_WORD = 3


def split_words(line: Line, index: Index) -> Iterator[tuple[int, int, Form]]:
    """Terms of one word that two neighbouring words of a line make together, as offsets in it.

    Not where both are words, which only happen to stand side by side.
    """
    for number, (first, second) in enumerate(pairwise(_WORD.finditer(line.text))):
        start, end, tail = first.start(), second.end(), second[0]
        if end - start > _MOST_LETTERS or not index.begins(" " + first[0]):
            continue
        if first[0][-1] == tail[0]:
            tail = tail[1:]
        if index.reach(f" {first[0]}{tail}") <= len(first[0]) + (1 if tail else 0):
            continue
        head, gap, tail = line.neighbours(number)
        if len(head) + len(tail) < _FEWEST_LETTERS or (_is_word(head) and _is_word(tail)):
            continue
        if gap > _WIDEST_GAP:
            continue
        key, runs = single_letters(head + tail)
        for length, form in index.whole(key):
            if form.covers(runs[:length]):
                yield start, end, form


def _is_word(text: str) -> bool:
    """Short ones only where they are common: lists of English words hold every pair of letters."""
    return text in COMMON or (len(text) >= _SHORTEST_WORD and text in english_words())
