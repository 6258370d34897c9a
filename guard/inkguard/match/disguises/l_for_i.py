"""An l for an i."""

from __future__ import annotations

from collections.abc import Iterator

from inkguard.match.disguises.base import WordDisguise
from inkguard.match.terms import Entry
from inkguard.match.tuning import TUNING

__all__ = ["LForI"]


class LForI(WordDisguise):
    """An l for an i, which look alike where capitals and small letters mix.

    Example: ldiot
    Leaves alone: words that a dictionary has; words of fewer than four letters.
    Known misses: words of three l's or more of which two are an i.
    Place: before sounds and slips, which guess more.
    """

    label = "looks like"

    def entries(self, word: str) -> Iterator[Entry]:
        """The terms that the word is with one l, or all, made i, also before an ending."""
        if len(word) < TUNING.shortest_l_for_i or "l" not in word:
            return
        suffixes = self._terms.vocabulary.misspelled_suffixes
        places = [n for n, letter in enumerate(word) if letter == "l"]
        looks = [word.replace("l", "i"), *(word[:n] + "i" + word[n + 1 :] for n in places)]
        stems = [look.removesuffix(suffix) for look in looks for suffix in suffixes]
        for look in dict.fromkeys((*looks, *stems)):
            if len(look) >= TUNING.shortest_l_for_i and look.isalpha():
                yield from self._terms.words.get(look, ())
