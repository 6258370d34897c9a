"""Words written from their end."""

from __future__ import annotations

from collections.abc import Iterator

from inkguard.match.disguises.base import WordDisguise
from inkguard.match.terms import Entry
from inkguard.match.tuning import TUNING
from inkguard.text import MappedText
from inkguard.types import Severity

__all__ = ["Reversed"]


class Reversed(WordDisguise):
    """A word written from its end; of terms of moderate severity or more, since milder ones are too often there by chance.

    Example: REKNAW
    Leaves alone: words that a dictionary has; palindromes; mild terms.
    Known misses: inflected terms; terms of several words. Texts as a whole are reversed in `inkguard.extract`.
    Place: first of the disguises of single words: of two that fit, it guesses least.
    """

    label = "backwards"

    def entries(self, word: str) -> Iterator[Entry]:
        """The terms that are not mild, of the word read from its end."""
        if len(word) >= TUNING.shortest_reversed and word != (turned := word[::-1]):
            for entry in self._terms.words.get(turned, ()):
                if entry.severity >= Severity.MODERATE:
                    yield entry

    def undone(self, word: MappedText) -> MappedText:
        """The word from its end."""
        return word.reverse()
