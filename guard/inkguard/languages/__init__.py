"""The languages that the guard knows: one file each.

To add one: a file with a `Language`, an entry in `LANGUAGES`, and its word lists with their `locale`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import chain

from inkguard.languages.base import Cues, Language
from inkguard.languages.english import ENGLISH
from inkguard.languages.german import GERMAN
from inkguard.languages.spanish import SPANISH

__all__ = ["LANGUAGES", "Cues", "Language", "Vocabulary", "language_of", "vocabulary"]

LANGUAGES: tuple[Language, ...] = (ENGLISH, GERMAN, SPANISH)
"""The first one is that of terms that name no language, or one that is not here."""


def language_of(locale: str | None, languages: tuple[Language, ...] = LANGUAGES) -> Language:
    """The language of a word list's locale: German for "de" and "de-AT"."""
    code = (locale or "").replace("_", "-").partition("-")[0].lower()
    return next((known for known in languages if known.code == code), languages[0])


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of several languages together: a prompt does not say which one it is in."""

    dictionary: frozenset[str]
    common: frozenset[str]
    reversible: frozenset[str]
    reversible_endings: tuple[str, ...]
    misspelled_suffixes: tuple[str, ...]
    masked_suffixes: tuple[str, ...]


@cache
def vocabulary(languages: tuple[Language, ...] = LANGUAGES) -> Vocabulary:
    """All words and endings of some languages."""
    return Vocabulary(
        dictionary=frozenset().union(*(known.dictionary() for known in languages)),
        common=frozenset().union(*(known.common for known in languages)),
        reversible=frozenset().union(*(known.reversible for known in languages)),
        reversible_endings=_all(known.reversible_endings for known in languages),
        misspelled_suffixes=_all(known.misspelled_suffixes for known in languages),
        masked_suffixes=_all(known.masked_suffixes for known in languages),
    )


def _all(rows: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(rows)))
