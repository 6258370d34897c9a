"""What a disguise is to the matcher: other ways to read a text, each with the terms found in it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import ClassVar, NamedTuple

from inkguard.fork import lazy
from inkguard.match.fold import FoldedText
from inkguard.match.term_index import TermIndex
from inkguard.match.terms import AllowedTerm, Entry
from inkguard.match.tuning import TUNING
from inkguard.match.word_stream import WordStream
from inkguard.text import MappedText

__all__ = ["Attempt", "Disguise", "DisguisedText", "Hit", "WordDisguise"]

Hit = tuple[int, int, Entry | AllowedTerm]
"""Half-open offsets in an attempt's text, and what stands there."""

_WORD = re.compile(r"[^\W_]+")
_CHUNK = re.compile(r"\S+")
_LETTERS = re.compile(r"[^\W\d_]+")


class Attempt(NamedTuple):
    """One way to read a text, and what was found in it.

    `hits` is consumed once. `plausible` is asked of what the prompt says where a hit lies; None takes all hits.
    """

    label: str
    text: MappedText
    hits: Iterable[Hit]
    plausible: Callable[[str], bool] | None = None


class DisguisedText:
    """The text that the disguises of one pass look at, with what they share."""

    def __init__(self, folded: FoldedText, terms: TermIndex, *, exact: bool = False) -> None:
        self.raw, self.plain = folded.raw, folded.plain
        self.exact = exact
        self.respelled: list[Attempt] = []
        """Readings of the whole text, letter by letter: what stands apart in them may yet be joined."""
        self._terms = terms
        self._seen: set[str] = set()

    @lazy
    def letters_only(self) -> bool:
        """Whether the folded text is letters and spaces: nothing stands for a letter there."""
        return self.plain.text.replace(" ", "").isalpha()

    @lazy
    def chunks(self) -> list[tuple[int, int]]:
        """Where white space parts off what is not letters alone: half-open offsets of the folded text."""
        if self.letters_only:
            return []
        chunks = _CHUNK.finditer(self.plain.text)
        return [chunk.span() for chunk in chunks if not chunk[0].isalpha()]

    @lazy
    def words(self) -> list[str]:
        """The words of letters and digits of the folded text."""
        return _WORD.findall(self.plain.text)

    @lazy
    def has_single_letters(self) -> bool:
        """Whether two words of one letter follow each other."""
        return any(len(a) == len(b) == 1 for a, b in pairwise(self.words))

    @lazy
    def places(self) -> list[tuple[int, int]]:
        """Where each of the words stands in the folded text."""
        return [match.span() for match in _WORD.finditer(self.plain.text)]

    @lazy
    def unknown_words(self) -> list[tuple[str, MappedText]]:
        """Words of 3 to 20 letters that no dictionary has, where they stand; noise ends after 500 different ones.

        Only words of ASCII letters are there: a foreign word in its own letters sounds otherwise.
        """
        dictionary, new = self._terms.vocabulary.dictionary, set[str]()
        found = []
        for word, start, end in self._words_of_letters():
            if word in dictionary:
                continue
            if len(new) < TUNING.most_unknown_words:
                new.add(word)
            elif word not in new:
                continue
            if TUNING.shortest_unknown <= len(word) <= TUNING.longest_unknown:
                place = self.plain.slice(start, end)
                if self.raw.text_of(*place.to_prompt(0, len(word))).isascii():
                    found.append((word, place))
        return found

    def _words_of_letters(self) -> Iterator[tuple[str, int, int]]:
        """The words that are no known ones, without their digits."""
        dictionary = self._terms.vocabulary.dictionary
        for number, word in enumerate(self.words):
            if word in dictionary:
                continue
            start, end = self.places[number]
            if word.isalpha():
                yield word, start, end
            else:
                for match in _LETTERS.finditer(word):
                    yield match[0], start + match.start(), start + match.end()

    def whole(
        self,
        label: str,
        text: MappedText,
        plausible: Callable[[str], bool] | None = None,
        *,
        respelled: bool = False,
    ) -> Iterator[Attempt]:
        """An attempt at a reading of the whole text, unless it reads like an earlier one.

        With `respelled`, disguises further down the order read it again.
        """
        attempt = Attempt(label, text, self._hits(text), plausible)
        if respelled:
            self.respelled.append(attempt)
        if text.text not in self._seen:
            self._seen.add(text.text)
            yield attempt

    def _hits(self, text: MappedText) -> Iterator[Hit]:
        stream = WordStream(text.text)
        for start, end, pattern in self._terms.hits(stream, exact=self.exact):
            yield (*stream.span(start, end), pattern.of)


class Disguise(ABC):
    """One way to hide a word. Its docstring is its row in docs/guides/matching.md: see `inkguard.match.disguises`.

    A disguise is made once for a matcher's terms, and asked for its attempts at each text.
    """

    label: ClassVar[str]
    """What findings and `inkguard policy explain` call it."""
    guesses: ClassVar[bool] = False
    """Whether it is left out of texts that were put together by guessing."""

    def __init__(self, terms: TermIndex) -> None:
        self._terms = terms

    @abstractmethod
    def attempts(self, text: DisguisedText) -> Iterator[Attempt]:
        """All ways to read the text as being in this disguise; none where nothing speaks for it."""


class WordDisguise(Disguise):
    """A disguise of single words that no dictionary has."""

    guesses = True

    @abstractmethod
    def entries(self, word: str) -> Iterable[Entry]:
        """The entries that a folded word may be. Each word of a text is asked for once."""

    def undone(self, word: MappedText) -> MappedText:
        """What the word says when the disguise is undone, as far as that does not depend on the term."""
        return word

    def attempts(self, text: DisguisedText) -> Iterator[Attempt]:
        """One for each unknown word."""
        known: dict[str, list[Entry]] = {}
        for word, place in text.unknown_words:
            if word not in known:
                known[word] = list(self.entries(word))
            hits = [(0, len(word), entry) for entry in known[word]]
            yield Attempt(self.label, self.undone(place), hits)
