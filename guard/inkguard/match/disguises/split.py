"""Words cut in two by a gap."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from inkguard.match.disguises.base import Attempt, Disguise, DisguisedText, Hit
from inkguard.match.term_pattern import single_letters
from inkguard.match.tuning import TUNING

__all__ = ["Split"]


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
        plain = [self._is_word(word) for word in text.words]
        for number, (head, tail) in enumerate(pairwise(text.words)):
            few = len(head) + len(tail) < TUNING.fewest_split_letters
            if few or (plain[number] and plain[number + 1]):
                continue
            (start, left), (right, end) = text.places[number : number + 2]
            gap = right - left
            if gap > TUNING.widest_gap:
                continue
            if self._may_begin(head, tail):
                read = text.plain.slice(start, end).drop([(len(head), len(head) + gap)])
                yield Attempt(self.label, read, self._hits(read.text), _is_one_line)

    def _may_begin(self, head: str, tail: str) -> bool:
        """Whether some term begins with the head and goes on into the tail."""
        first, both = single_letters(head)[0], single_letters(head + tail)[0]
        if len(first) + len(single_letters(tail)[0]) >= TUNING.most_split_letters:
            return False
        reach = self._terms.longest_prefix(" " + both)
        return reach > len(first) + (1 if len(both) > len(first) else 0)

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
