"""An l for an i."""

from __future__ import annotations

from collections.abc import Iterator

from inkguard.match.disguises.base import WordDisguise
from inkguard.match.terms import Entry

__all__ = ["LForI"]

_SHORTEST = 4
_SUFFIXES = ("s", "z", "es", "ed", "d", "er", "ers", "a", "as", "az", "in", "ing", "y")


class LForI(WordDisguise):
    """An l for an i, which look alike where capitals and small letters mix.

    Example: ldiot
    Leaves alone: words that a dictionary has; words of fewer than four letters.
    Known misses: some of the l's of a word but not one and not all.
    Place: before sounds and slips, which guess more.
    """

    label = "looks like"

    def entries(self, word: str) -> Iterator[Entry]:
        """The terms that the word is with one l, or all, made i, also before an ending."""
        if len(word) < _SHORTEST or "l" not in word:
            return
        places = [n for n, letter in enumerate(word) if letter == "l"]
        looks = [word.replace("l", "i"), *(word[:n] + "i" + word[n + 1 :] for n in places)]
        stems = [look.removesuffix(suffix) for look in looks for suffix in _SUFFIXES]
        for look in dict.fromkeys((*looks, *stems)):
            if len(look) >= _SHORTEST and look.isalpha():
                yield from self._terms.words.get(look, ())
