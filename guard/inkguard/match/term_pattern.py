"""Terms as the matcher knows them: spelled with single letters, with the endings they may take.

"loser", "looser" and "loooser" are one key; how often each letter must stand at least is kept beside it,
so that "as" is not taken for a word with two s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from inkguard.languages import LANGUAGES, Language, language_of
from inkguard.match.fold import fold
from inkguard.match.terms import AllowedTerm, Entry, Matching

__all__ = ["TermPattern", "allowed_patterns", "patterns_of", "single_letters", "words_of"]

_TOKEN = re.compile(r"[^\W_]+")
_DOUBLED = re.compile(r"([^\W\d_])\1")
_PIECE = re.compile(r"([^\W\d_])\1*|.")  # a run of one letter; digits never collapse
_NOTHING = frozenset(("",))


@dataclass(frozen=True, slots=True)
class TermPattern:
    """One spelling of a term, in single letters.

    `"loser"` gives the keys `" loser"` with the suffixes of a whole word; `"looser"` would give the same key
    with `min_repeats` of `(1, 1, 2, 1, 1, 1)`.
    """

    key: str
    """In single letters; words are a space apart. It begins with a space, but for a stem inside of words."""
    min_repeats: tuple[int, ...]
    """How often each character of the key stands in the term."""
    of: Entry | AllowedTerm
    entry: Entry | None
    """`of`, unless that is an allowed term."""
    suffixes: frozenset[str] = _NOTHING
    """What may follow the last word, in single letters; "" for the word alone."""
    one_word: bool = True
    no_doubles: bool = True
    """Whether no letter of the term needs to be repeated."""

    def has_required_repeats(self, repeats: Sequence[int]) -> bool:
        """Whether every letter is repeated often enough, and in an allowed term just as often."""
        if self.entry is None:
            return tuple(repeats) == self.min_repeats
        return all(map(int.__ge__, repeats, self.min_repeats))


@lru_cache(maxsize=4)  # a term is asked for a few times in a row
def words_of(term: str) -> tuple[str, ...]:
    """The folded words of a term."""
    return tuple(_TOKEN.findall(fold(term).text))


def patterns_of(entry: Entry, languages: tuple[Language, ...] = LANGUAGES) -> Iterator[TermPattern]:
    """The patterns under which a term is found, with the endings of its language.

    Raises ValueError for a term without letter or digit.
    """
    words = words_of(entry.term)
    if not words:
        raise ValueError("a term needs a letter or digit")
    glued = "".join(words)
    if entry.matching is Matching.STEM:
        key, repeats = single_letters(glued)
        # Inside of words here; as a word of its own below, for disguises of whole words.
        yield TermPattern(key, repeats, entry, entry, no_doubles=max(repeats) == 1)
    for text in dict.fromkeys((" ".join(words), glued)):
        if entry.matching is Matching.EXACT:
            yield _pattern(text, entry, _NOTHING)
            continue
        for stem, suffixes in language_of(entry.locale, languages).inflections(words[-1]):
            start = text[: len(text) - len(words[-1])]
            yield _pattern(start + stem, entry, _in_single_letters(suffixes))


def allowed_patterns(term: str) -> Iterator[TermPattern]:
    """The patterns of a term that suppresses what it covers: itself and its plural, also as one word."""
    words, allowed = words_of(term), AllowedTerm(term)
    for text in dict.fromkeys((" ".join(words), "".join(words))) if words else ():
        yield _pattern(text, allowed, frozenset(("", "s")))


def _pattern(text: str, of: Entry | AllowedTerm, suffixes: frozenset[str]) -> TermPattern:
    key, repeats = single_letters(text)
    entry = of if isinstance(of, Entry) else None
    return TermPattern(" " + key, repeats, of, entry, suffixes, " " not in key, max(repeats) == 1)


def single_letters(text: str) -> tuple[str, tuple[int, ...]]:
    """A folded text with runs of one letter made one, and how long each was.

    `"looser"` gives `("loser", (1, 2, 1, 1, 1))`.
    """
    if not _DOUBLED.search(text):
        return text, (1,) * len(text)
    pieces = [m[0] for m in _PIECE.finditer(text)]
    return "".join(p[0] for p in pieces), tuple(map(len, pieces))


@cache
def _in_single_letters(suffixes: frozenset[str]) -> frozenset[str]:
    return frozenset(single_letters(suffix)[0] for suffix in suffixes)
