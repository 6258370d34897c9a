"""Finds the terms of word lists in a text, in whatever disguise can be seen through."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any

from inkguard.languages import LANGUAGES, Language
from inkguard.match.disguises import DISGUISES, Disguise, DisguisedText
from inkguard.match.fold import FoldedText, fold
from inkguard.match.term_index import TermIndex
from inkguard.match.terms import AllowedTerm, CoveredMatch, Entry, Match, Matches, Matching
from inkguard.match.word_stream import WordStream
from inkguard.text import MappedText

__all__ = ["Entry", "Match", "Matcher", "Matches", "Matching"]

_Allowed = tuple[int, int, AllowedTerm]


class Matcher:
    """Compiled word lists. `allow` terms suppress the matches that they cover.

    A word made of two terms, or of a term and one of `compound_parts`, is a match as well. `disguises` are tried in
    their order; `languages` are those of the terms and of the texts.

    A matcher does not change, so that a copy is the same object. Pickled are the terms, which are compiled anew:
    compiled, the shipped ones would be 12 MB and not 0.8, to save 0.2 of 0.6 seconds. Raises ValueError for a term
    without letter or digit.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        *,
        allow: Iterable[str] = (),
        compound_parts: Iterable[str] = (),
        disguises: Sequence[type[Disguise]] = DISGUISES,
        languages: tuple[Language, ...] = LANGUAGES,
    ) -> None:
        made_of = tuple(entries), tuple(allow), tuple(compound_parts)
        self._made_of = *made_of, tuple(disguises), languages
        self._terms = TermIndex(*made_of, languages)
        self._disguises = [disguise(self._terms) for disguise in disguises]
        self._sure = [disguise for disguise in self._disguises if not disguise.guesses]

    def __reduce__(self) -> tuple[Callable[..., Matcher], tuple[Any, ...]]:
        *rest, languages = self._made_of
        # Those of the package are not copied: their words are kept once in a process.
        return _compiled, (*rest, None if languages == LANGUAGES else languages)

    def __copy__(self) -> Matcher:
        return self

    def __deepcopy__(self, _: object) -> Matcher:
        return self

    def match(self, text: str | FoldedText, *, exact: bool = False) -> Matches:
        """All that one pass over a text comes to, with offsets in the text.

        Of a part of a `FoldedText` the offsets are those of the whole. `exact` is for texts that were put together
        by guessing: no more guesses are made of what they say, so no misspellings, no words cut in two, no terms
        beside words that the lists do not name.

            >>> matcher.match("you 1D10T").found
            (Match(start=4, end=9, entry=Entry(...), reading='leet'),)
        """
        folded = FoldedText.of(text) if isinstance(text, str) else text
        given = DisguisedText(folded, self._terms, exact=exact)
        found: dict[tuple[int, int, str], Match] = {}
        allowed: list[_Allowed] = []
        tried: list[tuple[str, MappedText]] = []
        for disguise in self._sure if exact else self._disguises:
            for attempt in disguise.attempts(given):
                label, read, hits, plausible = attempt
                tried.append((label, read))
                for start, end, of in hits:
                    start, end = read.to_prompt(start, end)
                    if plausible is not None and not plausible(given.raw.text_of(start, end)):
                        continue
                    if isinstance(of, AllowedTerm):
                        allowed.append((start, end, of))
                    else:
                        key = (start, end, of.rule)
                        found.setdefault(key, Match(start, end, of, label))
        kept, covered = _uncovered(list(found.values()), allowed)
        return Matches(tuple(_outermost(kept)), tuple(covered), tuple(tried))

    def find(self, text: str | FoldedText, *, exact: bool = False) -> tuple[Match, ...]:
        """The matches of `match` that count."""
        return self.match(text, exact=exact).found

    def allows(self, text: str) -> bool:
        """Whether a single allowed term takes up all words of the text."""
        stream = WordStream(fold(text).text)
        if len(stream.text) < 3:
            return False
        whole = (1, len(stream.text) - 1)
        return any(
            (start, end) == whole and pattern.entry is None
            for start, end, pattern in self._terms.hits(stream)
        )


def _compiled(
    entries: Iterable[Entry],
    allow: Iterable[str],
    compound_parts: Iterable[str],
    disguises: Sequence[type[Disguise]],
    languages: tuple[Language, ...] | None,
) -> Matcher:
    return Matcher(
        entries,
        allow=allow,
        compound_parts=compound_parts,
        disguises=disguises,
        languages=LANGUAGES if languages is None else languages,
    )


def _farther(one: _Allowed, other: _Allowed) -> _Allowed:
    return other if other[1] > one[1] else one


def _uncovered(
    matches: list[Match], allowed: list[_Allowed]
) -> tuple[list[Match], list[CoveredMatch]]:
    """The matches that no allowed term spans, and those that one does."""
    if not allowed:
        return matches, []
    allowed.sort(key=lambda a: a[:2])
    starts = [start for start, _, _ in allowed]
    farthest = list(accumulate(allowed, _farther))
    kept: list[Match] = []
    covered: list[CoveredMatch] = []
    for match in matches:
        number = bisect_right(starts, match.start)
        if number and farthest[number - 1][1] >= match.end:
            start, end, term = farthest[number - 1]
            covered.append(CoveredMatch(match, term, start, end))
        else:
            kept.append(match)
    return kept, covered


def _outermost(matches: list[Match]) -> list[Match]:
    matches.sort(key=lambda m: (m.entry.action, m.entry.severity), reverse=True)
    matches.sort(key=lambda m: (m.start, -m.end))  # stable: of one range, the strictest comes first
    kept: list[Match] = []
    reach = -1  # of the kept matches: no later match can lie within one that ends before
    for match in matches:
        inner = match.end <= reach and any(
            k.end >= match.end
            and k.entry.action >= match.entry.action
            and k.entry.severity >= match.entry.severity
            for k in kept[-8:]
        )
        if not inner:
            kept.append(match)
            reach = max(reach, match.end)
    return kept
