"""All forms of all lists in one automaton (Aho and Corasick 1975, in C by pyahocorasick)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

import ahocorasick

from inkguard.languages.dictionary import english_words
from inkguard.languages.english import COMMON
from inkguard.match.term_pattern import Form
from inkguard.match.word_stream import Line
from inkguard.types import Severity

__all__ = ["Index"]

_SHORTEST_BESIDE_WORDS = 5
_SHORTEST_ENGLISH = 4
_LONGEST_COMPOUND = 32
_SHORTEST_IN_COMPOUND = 3
_MOST_DIGITS = 4
_MOST_REMEMBERED = 10_000

Hit = tuple[int, int, Form]
"""Half-open offsets in a line, and what stands there."""


class Index:
    """The forms, and where they stand in a line of text.

    A word made of terms, or of terms and `parts`, is a hit of its terms as well.
    """

    def __init__(self, forms: Iterable[Form], parts: Collection[str]) -> None:
        self._forms: dict[str, list[Form]] = {}
        for form in forms:
            self._forms.setdefault(form.key, []).append(form)
            if form.entry is not None and form.single and len(form.key) > _SHORTEST_IN_COMPOUND:
                self._forms.setdefault(form.key.lstrip(), [])  # also as the tail of a compound
        for same in self._forms.values():
            same[:] = [self._unless_a_term(form) for form in same]
        self._automaton = ahocorasick.Automaton()
        for key in self._forms:
            self._automaton.add_word(key, key)
        self._automaton.make_automaton()
        self._parts = frozenset(parts)
        self._glued: dict[str, bool] = {}

    def _unless_a_term(self, form: Form) -> Form:
        """An allowed term does not allow its plural where that is a term."""
        if form.entry is None and form.single and any(self.whole(form.key[1:] + "s")):
            return replace(form, rests=frozenset(("",)))
        return form

    def hits(self, line: Line, *, exact: bool = False) -> Iterator[Hit]:
        """Terms, allowed terms, and words that contain a stem or are compounds; in no order.

        With `exact`, compounds only of terms and parts, not with other English words.
        """
        if not self._forms:
            return
        text = line.text
        stemmed: set[tuple[int, str]] = set()
        for last, key in self._automaton.iter(text):
            start, end = last + 1 - len(key), last + 1
            before, after = line.word(last)
            if key[0] == " ":
                yield from self._whole(line, (start + 1, end, after), self._forms[key], exact)
                continue
            # Once is enough, and a very long word may hold a stem very often.
            if self._forms[key] and (before, key) not in stemmed:
                for form in self._forms[key]:
                    if line.covers(start, end, form):
                        stemmed.add((before, key))
                        yield before, after, form
            if start > before and after - before <= _LONGEST_COMPOUND:
                for form in self._forms.get(" " + key, ()):
                    fits = form.entry is not None and line.covers(start, end, form)
                    places = (before, start, end, after)
                    if fits and self._compound(line, places, form, exact):
                        yield before, after, form

    def _whole(
        self, line: Line, places: tuple[int, int, int], forms: list[Form], exact: bool
    ) -> Iterator[Hit]:
        start, end, after = places
        rest = line.text[end:after] if after - end <= _LONGEST_COMPOUND else " "
        for form in forms:
            if not line.covers(start, end, form):
                continue
            compound = (
                form.entry is not None
                and form.single
                and len(form.key) > _SHORTEST_IN_COMPOUND
                and after - start <= _LONGEST_COMPOUND
            )
            around = (start, *places)
            # An allowed term has its letters as often as they should be, in its plural too.
            runs = [] if form.entry is not None else line.runs(end, after)
            ends = rest in form.rests and max(runs, default=1) == 1
            if ends or (compound and self._compound(line, around, form, exact)):
                yield start, after, form

    def _compound(
        self, line: Line, places: tuple[int, int, int, int], form: Form, exact: bool
    ) -> bool:
        """Whether a term with more before or after it in a word is a word of its own there.

        `places` are where the word begins, where the term does, where it ends, and where the word does.
        """
        before, start, end, after = places
        head, rest = line.text[before:start], line.text[end:after]
        if head == rest == "x":
            return True  # "xxIDIOTxx"
        if rest[:1].isdigit() and form.key[-1].isdigit():
            return False  # the number goes on
        if self._glues(head) and (rest in form.rests or self._glues(rest)):
            return True
        # A term that is long enough also shows beside any English word, in what is none.
        return (
            not exact
            and sum(form.runs) >= _SHORTEST_BESIDE_WORDS
            and form.entry is not None
            and form.entry.severity.rank >= Severity.MODERATE.rank
            and (rest in form.rests or _is_english(line.spelled(end, after)))
            and (not head or _is_english(line.spelled(before, start)))
            and line.spelled(before, after) not in english_words()
        )

    def _glues(self, text: str) -> bool:
        """Whether text beside a term says that it is one more word, not a part of the term's."""
        known = self._glued.get(text)
        if known is None:
            if len(self._glued) >= _MOST_REMEMBERED:
                self._glued.clear()
            known = self._glued[text] = self._is_glue(text)
        return known

    def _is_glue(self, text: str) -> bool:
        if not text:
            return True
        if text.isdigit():
            return len(text) <= _MOST_DIGITS
        if self._is_word(text):
            return True
        return any(
            self._is_word(text[:cut]) and self._glues(text[cut:])
            for cut in range(_SHORTEST_IN_COMPOUND, len(text) - 1)
        )

    def _is_word(self, text: str) -> bool:
        if text in self._parts or (text.endswith("s") and text[:-1] in self._parts):
            return True
        return len(text) > 1 and any(form.single for _, form in self.whole(text))

    def whole(self, word: str) -> Iterator[tuple[int, Form]]:
        """The terms of one word that are the whole of `word`, which is in single letters.

        With each, how many of the letters are its own. Runs are not looked at.
        """
        for length in range(len(word), max(0, len(word) - 5), -1):
            for form in self._forms.get(" " + word[:length], ()):
                if form.entry is not None and word[length:] in form.rests:
                    yield length, form

    def begins(self, text: str) -> bool:
        """Whether a form's key begins so."""
        return bool(self._automaton.match(text))

    def reach(self, text: str) -> int:
        """How many of the first characters of `text` some form's key begins with."""
        return int(self._automaton.longest_prefix(text))

    def at(self, key: str) -> list[Form]:
        """The forms of a key."""
        return self._forms.get(key, [])

    def like(self, pattern: str) -> Iterator[Form]:
        """The forms whose key is `pattern`, in which "?" stands for any one character."""
        if self._forms:
            for key in self._automaton.keys(pattern, "?", ahocorasick.MATCH_EXACT_LENGTH):
                yield from self._forms[key]


def _is_english(word: str) -> bool:
    return word in COMMON or (len(word) >= _SHORTEST_ENGLISH and word in english_words())
