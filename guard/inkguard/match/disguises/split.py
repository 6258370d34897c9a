"""Words cut in two by a gap."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from inkguard.match.disguises.base import Attempt, Disguise, DisguisedText, Hit
from inkguard.match.term_pattern import single_letters
from inkguard.match.tuning import TUNING

__all__ = ["Split"]

_WORD = re.compile(r"[^\W_]+")


class Split(Disguise):
    """A gap in a word whose parts are no words.

    Example: idi ot
    Leaves alone: two words that are both words, which only happen to stand side by side ("nit wit"); a gap of
    more than three characters; a break between lines, which `inkguard.extract` joins.
    Known misses: words cut in three; words whose halves are both English words.
    Place: first, so that a gap is called so where a dash also reads as punctuation inside of a word.
    """

    label = "split"
    guesses = True

    def attempts(self, text: DisguisedText) -> Iterator[Attempt]:
        """`"idi ot"` and `"idi - ot"` read "idiot"."""
        stream, terms = text.stream, self._terms
        for number, (first, second) in enumerate(pairwise(_WORD.finditer(stream.text))):
            start, end, tail = first.start(), second.end(), second[0]
            if end - start > TUNING.most_split_letters or not terms.has_prefix(" " + first[0]):
                continue
            if first[0][-1] == tail[0]:
                tail = tail[1:]
            if terms.longest_prefix(f" {first[0]}{tail}") <= len(first[0]) + (1 if tail else 0):
                continue
            head, gap, tail = stream.word_pair(number)
            if len(head) + len(tail) < TUNING.fewest_split_letters or (
                self._is_word(head) and self._is_word(tail)
            ):
                continue
            if gap > TUNING.widest_gap:
                continue
            pair = text.plain.slice(*stream.span(start, end))
            read = pair.drop([(len(head), len(head) + gap)])
            yield Attempt(self.label, read, self._hits(read.text), _is_one_line)

    def _hits(self, word: str) -> Iterator[Hit]:
        key, repeats = single_letters(word)
        for length, pattern in self._terms.complete_words(key):
            if pattern.has_required_repeats(repeats[:length]):
                yield 0, len(word), pattern.of

    def _is_word(self, text: str) -> bool:
        """Short ones only where they are common: dictionaries hold every pair of letters."""
        words = self._terms.vocabulary
        long = len(text) >= TUNING.shortest_split_word
        return text in words.common or (long and text in words.dictionary)


def _is_one_line(written: str) -> bool:
    return len(written.splitlines()) == 1
