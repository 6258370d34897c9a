"""Entries of word lists, and what a matcher reports of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from inkguard.text import MappedText
from inkguard.types import Action, Severity

__all__ = ["AllowedTerm", "CoveredMatch", "Entry", "Match", "Matches", "Matching", "Reading"]


class Matching(Enum):
    """How far a term reaches: its inflections too, itself only, or any word that contains it."""

    INFLECTED = "terms"
    EXACT = "exact"
    STEM = "stems"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One term of a word list, and what its rule asks for. `rule` never holds the term.

    With `misspelled`, words that are one edit away or sound the same count as well; without it, only
    long words that sound the same, or in which two neighbouring letters have changed places. `locale` is the
    language whose endings the term takes, as in "de" or "de-AT"; None is English.
    """

    term: str = field(repr=False)
    rule: str
    category: str
    severity: Severity
    action: Action
    matching: Matching = Matching.INFLECTED
    everywhere: bool = False
    misspelled: bool = True
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class AllowedTerm:
    """A term of an allow list, as it is written there."""

    term: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Match:
    """An entry found at half-open offsets of the original text.

    `reading` is the label of the disguise that it was found through: see `inkguard.match.disguises`.
    """

    start: int
    end: int
    entry: Entry
    reading: str = "plain"


@dataclass(frozen=True, slots=True)
class CoveredMatch:
    """A match that is none, since an allowed term spans all of it: that term, and where it stands."""

    match: Match
    allowed: AllowedTerm
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What a part of a text says when one disguise is undone, whether or not a term was found in it.

    `start` and `end` are the part's half-open offsets in the original text. `text` is what was searched: a
    whole text for disguises of texts, a word for disguises of words.

    `"idi*t"` gives `Reading("masked", "idi?t", 0, 5)`, among others.
    """

    label: str
    text: str = field(repr=False)
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Matches:
    """All that one pass over a text came to.

    `found` are the matches that count, in the order of the text; of matches that lie within another at least as
    strict only the outer one is there. `covered` are those that allowed terms took away. `readings` are all
    ways in which the text was tried, in the order of the disguises.
    """

    found: tuple[Match, ...]
    covered: tuple[CoveredMatch, ...]
    _tried: tuple[tuple[str, MappedText], ...] = field(repr=False)

    @property
    def readings(self) -> tuple[Reading, ...]:
        """What was tried, kept by the pass and written out when it is asked for."""
        return tuple(
            Reading(label, text.text, *text.to_prompt(0, len(text)))
            for label, text in self._tried
            if text.text
        )
