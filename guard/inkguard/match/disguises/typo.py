"""Words that are one slip from a term.

Edit distance is Damerau's, looked up in SymSpell's deletion index (package symspellpy).
"""

from __future__ import annotations

from collections.abc import Iterator

from symspellpy import SymSpell, Verbosity

from inkguard.match.disguises.base import WordDisguise
from inkguard.match.term_index import TermIndex
from inkguard.match.terms import Entry
from inkguard.match.tuning import TUNING

__all__ = ["Typo"]


class Typo(WordDisguise):
    """One slip: a letter missing or too much, in long words a wrong one, two neighbours swapped.

    Example: nitwt, idoit
    Leaves alone: words that a dictionary has; a slip in the first letter; a wrong letter in a word of fewer than
    seven, or at its end; terms with `misspelled: false`, but for two letters swapped in a long one.
    Known misses: two slips; slips in terms of several words.
    Place: last, since it guesses most.
    """

    label = "misspelled"

    def __init__(self, terms: TermIndex) -> None:
        super().__init__(terms)
        self._misspelled: set[str] = set()  # terms that say that misspellings count
        self._slips = SymSpell(max_dictionary_edit_distance=1, prefix_length=7)
        for word, entries in terms.words.items():
            if not word.isalpha():
                continue
            loose = any(entry.misspelled for entry in entries)
            if loose:
                self._misspelled.add(word)
            if len(word) >= (TUNING.shortest_swapped if loose else TUNING.shortest_sure_swapped):
                self._slips.create_dictionary_entry(word, 1)

    def entries(self, word: str) -> Iterator[Entry]:
        """The terms of one word that are one slip away."""
        if len(word) < TUNING.shortest_swapped:
            return
        for found in self._slips.lookup(word, Verbosity.ALL, max_edit_distance=1):
            if self._is_slip(found.term, word):
                yield from self._terms.words[found.term]

    def _is_slip(self, term: str, word: str) -> bool:
        if term[0] != word[0]:
            return False
        if len(term) == len(word) and sorted(term) == sorted(word):
            return True
        if term not in self._misspelled:
            return False
        if len(term) == len(word):
            return len(term) >= TUNING.shortest_changed and term[-1] == word[-1]
        return min(len(term), len(word)) >= TUNING.shortest_misspelled
