"""Terms as the matcher knows them: spelled with single letters, with the endings they may take.

"loser", "looser" and "loooser" are one key; how often each letter must stand at least is kept beside it,
so that "as" is not taken for a word with two s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from inkguard.match.fold import fold
from inkguard.match.terms import Entry, Matching

__all__ = ["Form", "allowed_forms", "forms_of", "single_letters", "words_of"]

_TOKEN = re.compile(r"[^\W_]+")
_DOUBLED = re.compile(r"([^\W\d_])\1")
_PIECE = re.compile(r"([^\W\d_])\1*|.")  # a run of one letter; digits never collapse
_VOWELS = frozenset("aeiou")
_SIBILANTS = ("s", "x", "z", "ch", "sh")
_NOTHING = frozenset(("",))


@dataclass(frozen=True, slots=True)
class Form:
    """A spelling in single letters; `runs` is how often each is repeated at least.

    `key` begins with a space, but for stems; words are a space apart. `rests` are the endings that
    the last word may have. Allowed terms have no entry. `single`: it is one word; `plain`: no letter
    of it needs to be repeated.
    """

    key: str
    runs: tuple[int, ...]
    entry: Entry | None
    rests: frozenset[str] = _NOTHING
    single: bool = True
    plain: bool = True

    def covers(self, runs: Sequence[int]) -> bool:
        """Whether every letter is repeated often enough, and in an allowed term just as often."""
        if self.entry is None:
            return tuple(runs) == self.runs
        return all(map(int.__ge__, runs, self.runs))


@lru_cache(maxsize=4)  # a term is asked for a few times in a row
def words_of(term: str) -> tuple[str, ...]:
    """The folded words of a term."""
    return tuple(_TOKEN.findall(fold(term).text))


def forms_of(entry: Entry) -> Iterator[Form]:
    """The forms under which a term is found. Raises ValueError for a term without letter or digit."""
    words = words_of(entry.term)
    if not words:
        raise ValueError("a term needs a letter or digit")
    glued = "".join(words)
    if entry.matching is Matching.STEM:
        key, runs = single_letters(glued)
        yield Form(
            key, runs, entry, plain=max(runs) == 1
        )  # and as a word of its own, for disguises of whole words
    for text in dict.fromkeys((" ".join(words), glued)):
        if entry.matching is Matching.EXACT:
            yield _form(text, entry, _NOTHING)
            continue
        for stem, rests in _endings(words[-1]):
            yield _form(text[: len(text) - len(words[-1])] + stem, entry, rests)


def allowed_forms(term: str) -> Iterator[Form]:
    """The forms of a term that suppresses what it covers: itself and its plural, also as one word."""
    words = words_of(term)
    for text in dict.fromkeys((" ".join(words), "".join(words))) if words else ():
        yield _form(text, None, frozenset(("", "s")))


def _form(text: str, entry: Entry | None, rests: frozenset[str]) -> Form:
    key, runs = single_letters(text)
    return Form(" " + key, runs, entry, rests, " " not in key, max(runs) == 1)


def single_letters(text: str) -> tuple[str, tuple[int, ...]]:
    """A folded text with runs of one letter made one, and how long each was."""
    if not _DOUBLED.search(text):
        return text, (1,) * len(text)
    pieces = [m[0] for m in _PIECE.finditer(text)]
    return "".join(p[0] for p in pieces), tuple(map(len, pieces))


def _endings(word: str) -> list[tuple[str, frozenset[str]]]:
    """English inflections: stems, each with the endings that it takes.

    Generous, as a form nobody writes costs nothing. Doubled consonants need no rule: letters are single.
    """
    long, size = word.endswith((*_SIBILANTS, "o")), min(len(word), 5)
    if len(word) > 2 and word.endswith("y") and word[-2] not in _VOWELS:
        return [(word, _rests(long, 0)), (word[:-1], _AFTER_Y)]
    if word.endswith("e"):
        return [(word, _rests(long, 0)), (word[:-1], _rests(long, size) - _rests(long, 0))]
    return [(word, _rests(long, size))]


@cache
def _rests(long: bool, size: int) -> frozenset[str]:
    """Endings of a word by whether its plural has an e, and by its letters, up to 5; 0: plurals alone."""
    rests = {"", "s", "es"} if long else {"", "s"}
    if size:
        rests |= {"ed", "ing", "in", "ings", "er", "ers", "y"}
    if size > 3:
        rests |= {"ier", "iest", "ish"}
    if size > 4:
        rests |= {"est", "ic", "ical", "ically", "ity", "ness", "ly", "like", "ery", "dom"}
    return frozenset(single_letters(rest)[0] for rest in rests)


_AFTER_Y = frozenset(("ies", "ied", "ier", "iest", "ily", "ines"))  # "iness", in single letters
