"""Finds the terms of word lists in a text, in whatever disguise can be seen through.

Every reading of the text (`variants`) goes through one automaton with all lists; words with digits,
signs, masks or gaps in them are looked at once more, each in its own way, and so are words that are no
English words but nearly a term.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Any

from inkguard.languages.dictionary import english_words
from inkguard.match.disguises.leet_lattice import walks
from inkguard.match.disguises.masked import masked
from inkguard.match.disguises.near_miss import Nearly
from inkguard.match.disguises.split import split_words
from inkguard.match.fold import Folded, fold, variants
from inkguard.match.term_index import Index
from inkguard.match.term_pattern import Form, allowed_forms, forms_of, single_letters, words_of
from inkguard.match.terms import Entry, Match, Matching
from inkguard.match.word_stream import Line

__all__ = ["Entry", "Match", "Matching", "WordLists"]

_SHORT = 3
_MOST_UNKNOWN = 500  # words of one text that are no English ones; noise must not cost seconds
Span = tuple[int, int]
_WORD = re.compile(r"[^\W\d_]+")


class WordLists:
    """Compiled word lists. `allow` terms suppress the matches that they cover.

    A word made of two terms, or of a term and one of `compound_parts`, is a match as well. They do not
    change, so that a copy is the same object. Pickled are the terms, which are compiled anew: compiled, the
    shipped ones would be 12 MB and not 0.8, to save 0.2 of 0.6 seconds.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        *,
        allow: Iterable[str] = (),
        compound_parts: Iterable[str] = (),
    ) -> None:
        self._made_of = tuple(entries), tuple(allow), tuple(compound_parts)
        entries, allow, compound_parts = self._made_of
        forms: list[Form] = []
        glued: list[tuple[str, Entry]] = []
        for entry in entries:
            forms += forms_of(entry)
            glued.append(("".join(words_of(entry.term)), entry))
        forms += [form for term in allow for form in allowed_forms(term)]
        parts = [single_letters(w)[0] for part in compound_parts for w in words_of(part)]
        self._index, self._nearly = Index(forms, parts), Nearly(glued)

    def __reduce__(self) -> tuple[Callable[..., WordLists], tuple[Any, ...]]:
        return _compiled, self._made_of

    def __copy__(self) -> WordLists:
        return self

    def __deepcopy__(self, _: object) -> WordLists:
        return self

    def find(self, text: str, offset: int = 0, *, exact: bool = False) -> list[Match]:
        """The matches in `text`, in order, with offsets shifted by `offset`.

        Of matches that lie within another at least as strict, only the outer one is reported. `exact`
        is for texts that were put together by guessing: no more guesses are made of what they say, so
        no misspellings, no words cut in two, no terms beside words that the lists do not name.
        """
        found: dict[tuple[int, int, str], Match] = {}
        allowed: list[Span] = []
        readings = variants(text)
        for (start, end), form, how in self._all(text, readings, exact):
            if form.entry is None:
                allowed.append((start, end))
            else:
                key = (start, end, form.entry.rule)
                found.setdefault(key, Match(start, end, form.entry, how))
        for start, end, entry, how in () if exact else self._nearly_in(text, readings[0]):
            found.setdefault((start, end, entry.rule), Match(start, end, entry, how))
        kept = _outermost(_uncovered(list(found.values()), allowed))
        return [Match(m.start + offset, m.end + offset, m.entry, m.reading) for m in kept]

    def allows(self, text: str) -> bool:
        """Whether a single allowed term takes up all words of the text."""
        line = Line(fold(text).text)
        if len(line.text) < 3:
            return False
        whole = (1, len(line.text) - 1)
        return any(
            (start, end) == whole and form.entry is None
            for start, end, form in self._index.hits(line)
        )

    def _all(
        self, text: str, readings: tuple[Folded, ...], exact: bool
    ) -> Iterator[tuple[Span, Form, str]]:
        plain, line = readings[0], Line(readings[0].text)
        for start, end, form in () if exact else split_words(line, self._index):
            span = plain.span(*line.span(start, end))
            if len(text[slice(*span)].splitlines()) == 1:  # lines are joined by `inkguard.extract`
                yield span, form, "split"
        for reading in readings:
            line = line if reading is plain else Line(reading.text)
            for start, end, form in self._index.hits(line, exact=exact):
                span = reading.span(*line.span(start, end))
                if reading.how != "leet" or not _is_code(text, *span):
                    yield span, form, reading.how
        for how, hits in (
            ("lattice", walks(plain.text, self._index)),
            ("masked", masked(plain.text, self._index)),
        ):
            for start, end, form in hits:
                yield plain.span(start, end), form, how

    def _nearly_in(self, text: str, plain: Folded) -> Iterator[tuple[int, int, Entry, str]]:
        known, looked_up = english_words(), dict[str, list[tuple[Entry, str]]]()
        for match in _WORD.finditer(plain.text):
            word = match[0]
            if word in known:
                continue
            if word not in looked_up:
                enough = len(looked_up) >= _MOST_UNKNOWN
                looked_up[word] = [] if enough else list(self._nearly.find(word))
            for entry, how in looked_up[word]:
                start, end = plain.span(*match.span())
                if text[start:end].isascii():  # a foreign word in its own letters sounds otherwise
                    yield start, end, entry, how


def _compiled(
    entries: Iterable[Entry], allow: Iterable[str], compound_parts: Iterable[str]
) -> WordLists:
    return WordLists(entries, allow=allow, compound_parts=compound_parts)


def _is_code(text: str, start: int, end: int) -> bool:
    """Whether a short word has more digits than disguises need: a road, a number plate."""
    return end - start <= _SHORT and sum(map(str.isdigit, text[start:end])) > 1


def _uncovered(matches: list[Match], allowed: list[Span]) -> list[Match]:
    """The matches that no allowed range holds."""
    allowed.sort()
    starts = [start for start, _ in allowed]
    reach = list(accumulate((end for _, end in allowed), max))
    return [
        m for m in matches if not ((n := bisect_right(starts, m.start)) and reach[n - 1] >= m.end)
    ]


def _outermost(matches: list[Match]) -> list[Match]:
    matches.sort(key=lambda m: (m.start, -m.end, -m.entry.action.rank, -m.entry.severity.rank))
    kept: list[Match] = []
    reach = -1  # of the kept matches: no later match can lie within one that ends before
    for match in matches:
        inner = match.end <= reach and any(
            k.end >= match.end
            and k.entry.action.rank >= match.entry.action.rank
            and k.entry.severity.rank >= match.entry.severity.rank
            for k in kept[-8:]
        )
        if not inner:
            kept.append(match)
            reach = max(reach, match.end)
    return kept
