"""What a disguise is to the matcher: other ways to read a text, each with the terms found in it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

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

_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Attempt:
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
    def stream(self) -> WordStream:
        """The words of the plain text."""
        return WordStream(self.plain.text)

    @lazy
    def unknown_words(self) -> list[tuple[str, MappedText]]:
        """Each word of Latin letters that no dictionary has, where it stands: the first 500 different ones."""
        known, new = self._terms.vocabulary.dictionary, set[str]()
        found = []
        for match in _WORD.finditer(self.plain.text):
            word = match[0]
            if word in known:
                continue
            if len(new) < TUNING.most_unknown_words:
                new.add(word)
            elif word not in new:
                continue
            place = self.plain.slice(*match.span())
            # A foreign word in its own letters sounds otherwise.
            if self.raw.text_of(*place.to_prompt(0, len(word))).isascii():
                found.append((word, place))
        return found

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
        stream = self.stream if text is self.plain else WordStream(text.text)
        for start, end, pattern in self._terms.hits(stream, exact=self.exact):
            yield (*stream.span(start, end), pattern.of)


class Disguise(ABC):
    """One way to hide a word. Its docstring is its row in docs/MATCHING.md: see `inkguard.match.disguises`.

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
        """One for each unknown word of 3 to 20 letters."""
        known: dict[str, list[Entry]] = {}
        for word, place in text.unknown_words:
            if not TUNING.shortest_unknown <= len(word) <= TUNING.longest_unknown:
                continue
            if word not in known:
                known[word] = list(self.entries(word))
            hits = [(0, len(word), entry) for entry in known[word]]
            yield Attempt(self.label, self.undone(place), hits)
