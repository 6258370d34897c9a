"""Entries of word lists, and what is reported of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from inkguard.types import Action, Severity

__all__ = ["Entry", "Match", "Matching"]


class Matching(Enum):
    """How far a term reaches: its inflections too, itself only, or any word that contains it."""

    INFLECTED = "terms"
    EXACT = "exact"
    STEM = "stems"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One term of a word list, and what its rule asks for. `rule` never holds the term.

    With `misspelled`, words that are one edit away or sound the same count as well; without it, only
    long words that sound the same, or in which two neighbouring letters have changed places.
    """

    term: str = field(repr=False)
    rule: str
    category: str
    severity: Severity
    action: Action
    matching: Matching = Matching.INFLECTED
    everywhere: bool = False
    misspelled: bool = True


@dataclass(frozen=True, slots=True)
class Match:
    """An entry found at half-open offsets of the original text.

    `reading` says in which reading of the text: "plain", "joined", "leet", "upside down", "split",
    "lattice", "masked", "backwards", "looks like", "sounds like" or "misspelled".
    """

    start: int
    end: int
    entry: Entry
    reading: str = "plain"
