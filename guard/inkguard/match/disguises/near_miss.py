"""Words that are no English words but nearly a term.

It looks or sounds like one, is one slip away, or is one from its end to its beginning.

Edit distance is Damerau's, looked up in SymSpell's deletion index (package symspellpy).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from symspellpy import SymSpell, Verbosity

from inkguard.languages.dictionary import english_words
from inkguard.match.disguises.phonetic_keys import sketch, sound
from inkguard.match.terms import Entry
from inkguard.types import Severity

__all__ = ["Nearly"]

_SHORTEST_HEARD, _SHORTEST_SWAPPED, _SHORTEST_MISSPELLED, _SHORTEST_CHANGED = 3, 4, 5, 7
_SHORTEST_SKETCHED = 6
_SHORTEST_HEARD_SURE = 5  # sounds: of a term that says that misspellings do not count
_SHORTEST_SURE = 6  # two letters of a term this long do not change places by chance
_LONGEST = 20
_SUFFIXES = ("s", "z", "es", "ed", "d", "er", "ers", "a", "as", "az", "in", "ing", "y")


class Nearly:
    """The terms of one word, by how they sound and how they are misspelled."""

    def __init__(self, words: Iterable[tuple[str, Entry]]) -> None:
        self._entries: dict[str, list[Entry]] = {}
        self._loose: set[str] = set()  # terms that say that misspellings count
        self._sounds: dict[str, set[str]] = {}
        self._sketches: dict[str, list[str]] = {}
        self._slips = SymSpell(max_dictionary_edit_distance=1, prefix_length=7)
        for word, entry in words:
            if not word.isalpha():
                continue
            key = sound(word)
            if len(key) >= (_SHORTEST_HEARD if entry.misspelled else _SHORTEST_HEARD_SURE):
                self._sounds.setdefault(key, set()).add(word)
            if entry.misspelled and word not in self._loose:
                self._loose.add(word)
                if len(word) >= _SHORTEST_SKETCHED and (coarse := sketch(key)):
                    self._sketches.setdefault(coarse, []).append(word)
            if len(word) >= (_SHORTEST_SWAPPED if entry.misspelled else _SHORTEST_SURE):
                self._slips.create_dictionary_entry(word, 1)
            self._entries.setdefault(word, []).append(entry)

    def find(self, word: str) -> Iterator[tuple[Entry, str]]:
        """The entries that a folded word, which is no English one, is nearly a term of.

        Each comes with "backwards", "looks like", "sounds like" or "misspelled".
        """
        if not _SHORTEST_HEARD <= len(word) <= _LONGEST:
            return
        yield from ((entry, "backwards") for entry in self._turned(word))
        for term in self._seen(word):
            yield from ((entry, "looks like") for entry in self._entries[term])
        for term in self._heard(word):
            yield from ((entry, "sounds like") for entry in self._entries[term])
        for term in self._slipped(word):
            yield from ((entry, "misspelled") for entry in self._entries[term])

    def _turned(self, word: str) -> Iterator[Entry]:
        """Terms that the word is when it is read from its end: mild ones may stand there by chance."""
        if len(word) >= _SHORTEST_SWAPPED and word != (turned := word[::-1]):
            for entry in self._entries.get(turned, ()):
                if entry.severity.rank >= Severity.MODERATE.rank:
                    yield entry

    def _seen(self, word: str) -> set[str]:
        """Terms that the word looks like with an l for an i, which capitals and folding make one."""
        if len(word) < _SHORTEST_SWAPPED or "l" not in word:
            return set()
        places = [n for n, letter in enumerate(word) if letter == "l"]
        looks = {word.replace("l", "i"), *(word[:n] + "i" + word[n + 1 :] for n in places)}
        looks |= {look.removesuffix(suffix) for look in looks for suffix in _SUFFIXES}
        return {look for look in looks if len(look) >= _SHORTEST_SWAPPED and look in self._entries}

    def _heard(self, word: str) -> set[str]:
        key = sound(word)
        found = set(self._sounds.get(key, ()))
        if len(word) >= _SHORTEST_SKETCHED:
            found.update(self._sketches.get(sketch(key), ()))
        for suffix in _SUFFIXES:
            stem = word.removesuffix(suffix)
            if stem == word or len(stem) < _SHORTEST_HEARD:
                continue
            if stem in self._loose:
                found.add(stem)
            elif stem not in english_words():
                found.update(self._sounds.get(sound(stem), ()))
        return found

    def _slipped(self, word: str) -> Iterator[str]:
        if len(word) < _SHORTEST_SWAPPED:
            return
        for found in self._slips.lookup(word, Verbosity.ALL, max_edit_distance=1):
            term = found.term
            if term[0] != word[0]:
                continue
            swapped = len(term) == len(word) and sorted(term) == sorted(word)
            if swapped:
                yield term
            elif term not in self._loose:
                continue
            elif len(term) == len(word):
                if len(term) >= _SHORTEST_CHANGED and term[-1] == word[-1]:
                    yield term
            elif min(len(term), len(word)) >= _SHORTEST_MISSPELLED:
                yield term
