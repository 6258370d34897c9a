"""Finds the terms of word lists in a text, in whatever disguise `normalize` can see through.

Terms are expanded once, into a dictionary from collapsed spellings ("loser", "looser" and "loooser"
collapse alike) to the forms that spell so. A token of the text then costs one look-up, however many
terms there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from guard.classify.inflect import inflections
from guard.classify.normalize import Folded, fold, variants
from guard.types import Action, Severity

__all__ = ["Entry", "Match", "Matching", "WordLists"]


class Matching(Enum):
    """How far a term reaches: its inflections too, itself only, or any word that contains it."""

    INFLECTED = "terms"
    EXACT = "exact"
    STEM = "stems"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One term of a word list, and what its rule asks for. `rule` never holds the term."""

    term: str = field(repr=False)
    rule: str
    category: str
    severity: Severity
    action: Action
    matching: Matching = Matching.INFLECTED
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """An entry found at half-open offsets of the original text."""

    start: int
    end: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class _Form:
    """A spelling: its words, collapsed, and how often each letter is repeated at least."""

    words: tuple[str, ...]
    runs: tuple[tuple[int, ...], ...]
    entry: Entry | None = None  # None for allowed terms


@dataclass(frozen=True, slots=True)
class _Token:
    """A word of a folded text: where it is, collapsed, and how long each run of a letter is."""

    start: int
    key: str
    runs: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where the runs `start:end` lie in the folded text."""
        first = self.start + sum(self.runs[:start])
        return first, first + sum(self.runs[start:end])


_TOKEN = re.compile(r"[^\W_]+")
_DOUBLED = re.compile(r"([^\W\d_])\1")
_PIECE = re.compile(r"([^\W\d_])\1*|.")  # a run of one letter; digits never collapse
_LONGEST_COMPOUND = 24


class WordLists:
    """Compiled word lists. `allow` terms suppress the matches that they cover.

    A word made of two terms, or of a term and one of `compound_parts`, is a match as well.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        *,
        allow: Iterable[str] = (),
        compound_parts: Iterable[str] = (),
    ) -> None:
        self._forms: dict[str, list[_Form]] = {}
        self._allowed: dict[str, list[_Form]] = {}
        self._stems: dict[str, list[_Form]] = {}
        for entry in entries:
            self._add(entry)
        for term in allow:
            words = _words(term)
            for last in (words[-1], words[-1] + "s") if words else ():
                _file(self._allowed, _form((*words[:-1], last), None))
            if len(words) > 1:
                _file(self._allowed, _form(("".join(words),), None))
        self._parts = frozenset(_key(w) for part in compound_parts for w in _words(part))
        longest_first = sorted(self._stems, key=lambda s: (-len(s), s))
        self._stem = re.compile(f"(?=({'|'.join(map(re.escape, longest_first)) or '(?!)'}))")

    def find(self, text: str, offset: int = 0) -> list[Match]:
        """The matches in `text`, in order, with offsets shifted by `offset`.

        Of matches that lie within another at least as strict, only the outer one is reported.
        """
        found: dict[tuple[int, int, str], Match] = {}
        allowed: list[tuple[int, int]] = []
        for reading in variants(text):
            tokens = _tokens(reading.text)
            allowed += (span for span, _ in self._sequences(reading, tokens, self._allowed))
            for (start, end), entry in self._all(reading, tokens):
                found.setdefault((start, end, entry.rule), Match(start, end, entry))
        kept = _outermost([m for m in found.values() if not _covered(m.start, m.end, allowed)])
        return [Match(m.start + offset, m.end + offset, m.entry) for m in kept]

    def allows(self, text: str) -> bool:
        """Whether a single allowed term takes up all words of the text."""
        plain = fold(text)
        tokens = _tokens(plain.text)
        if not tokens:
            return False
        whole = plain.span(tokens[0].start, tokens[-1].span(0, len(tokens[-1].runs))[1])
        return any(span == whole for span, _ in self._sequences(plain, tokens, self._allowed))

    def _add(self, entry: Entry) -> None:
        words = _words(entry.term)
        if not words:
            raise ValueError("a term needs a letter or digit")
        if entry.matching is Matching.STEM:
            _file(self._stems, _form(("".join(words),), entry))
            return
        lasts = inflections(words[-1]) if entry.matching is Matching.INFLECTED else {words[-1]}
        for last in sorted(lasts):
            _file(self._forms, _form((*words[:-1], last), entry))
            if len(words) > 1:
                _file(self._forms, _form(("".join((*words[:-1], last)),), entry))

    def _all(
        self, reading: Folded, tokens: Sequence[_Token]
    ) -> Iterator[tuple[tuple[int, int], Entry]]:
        for span, entry in self._sequences(reading, tokens, self._forms):
            if entry is not None:
                yield span, entry
        for token in tokens:
            for start, end, entry in (*self._stemmed(token), *self._compounds(token)):
                yield reading.span(*token.span(start, end)), entry

    def _sequences(
        self, reading: Folded, tokens: Sequence[_Token], forms: dict[str, list[_Form]]
    ) -> Iterator[tuple[tuple[int, int], Entry | None]]:
        for i, token in enumerate(tokens):
            for form in forms.get(token.key, ()):
                part = tokens[i : i + len(form.words)]
                if len(part) != len(form.words) or not all(
                    map(_spells, part, form.words, form.runs)
                ):
                    continue
                # Allowed words are allowed as spelled: a doubled letter can make another word.
                if form.entry is not None or tuple(t.runs for t in part) == form.runs:
                    end = part[-1].span(0, len(part[-1].runs))[1]
                    yield reading.span(token.start, end), form.entry

    def _stemmed(self, token: _Token) -> Iterator[tuple[int, int, Entry]]:
        done: set[str] = set()
        for match in self._stem.finditer(token.key):
            stem, at = match[1], match.start()
            if stem in done:  # once is enough, and a very long word may hold a stem very often
                continue
            for form in self._stems[stem]:
                runs = token.runs[at : at + len(stem)]
                if form.entry is not None and _covers(runs, form.runs[0]):
                    done.add(stem)
                    yield 0, len(token.runs), form.entry

    def _compounds(self, token: _Token) -> Iterator[tuple[int, int, Entry]]:
        if not 5 <= len(token.key) <= _LONGEST_COMPOUND:
            return
        for cut in range(2, len(token.key) - 1):
            head, tail = token.key[:cut], token.key[cut:]
            for key, other, runs in (
                (head, tail, token.runs[:cut]),
                (tail, head, token.runs[cut:]),
            ):
                if other not in self._parts and not any(
                    len(f.words) == 1 for f in self._forms.get(other, ())
                ):
                    continue
                for form in self._forms.get(key, ()):
                    alone = len(form.words) == 1 and form.entry is not None
                    if alone and len(key) > 2 and _covers(runs, form.runs[0]):
                        assert form.entry is not None
                        yield 0, len(token.runs), form.entry


def _words(term: str) -> tuple[str, ...]:
    return tuple(_TOKEN.findall(fold(term).text))


def _key(word: str) -> str:
    return _tokens(word)[0].key


def _form(words: Sequence[str], entry: Entry | None) -> _Form:
    tokens = [_tokens(word)[0] for word in words]
    return _Form(tuple(t.key for t in tokens), tuple(t.runs for t in tokens), entry)


def _file(forms: dict[str, list[_Form]], form: _Form) -> None:
    forms.setdefault(form.words[0], []).append(form)


def _tokens(text: str) -> list[_Token]:
    tokens = []
    for match in _TOKEN.finditer(text):
        word = match[0]
        runs = (1,) * len(word)
        if _DOUBLED.search(word):
            pieces = [m[0] for m in _PIECE.finditer(word)]
            runs = tuple(map(len, pieces))
            word = "".join(piece[0] for piece in pieces)
        tokens.append(_Token(match.start(), word, runs))
    return tokens


def _spells(token: _Token, word: str, runs: tuple[int, ...]) -> bool:
    return token.key == word and _covers(token.runs, runs)


def _covers(runs: tuple[int, ...], least: tuple[int, ...]) -> bool:
    """Whether every letter is repeated at least as often as the term repeats it."""
    return all(have >= need for have, need in zip(runs, least, strict=True))


def _covered(start: int, end: int, ranges: Iterable[tuple[int, int]]) -> bool:
    return any(a <= start and end <= b for a, b in ranges)


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
