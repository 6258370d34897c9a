"""All patterns of all lists in one automaton (Aho and Corasick 1975, in C by pyahocorasick)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import ahocorasick

from inkguard.languages import LANGUAGES, Language, vocabulary
from inkguard.match.term_pattern import (
    TermPattern,
    allowed_patterns,
    patterns_of,
    single_letters,
    words_of,
)
from inkguard.match.terms import Entry
from inkguard.match.tuning import TUNING
from inkguard.match.word_stream import WordStream
from inkguard.types import Severity

__all__ = ["TermIndex"]

Hit = tuple[int, int, TermPattern]
"""Half-open offsets in a line, and what stands there."""


class TermIndex:
    """The patterns of all terms, and where they stand in a stream of words.

    A word made of terms, or of terms and `compound_parts`, is a hit of its terms as well. Raises ValueError for an
    entry without letter or digit.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        allow: Iterable[str] = (),
        compound_parts: Iterable[str] = (),
        languages: tuple[Language, ...] = LANGUAGES,
    ) -> None:
        self.vocabulary = vocabulary(languages)
        """What words there are beside the terms."""
        self.words: dict[str, list[Entry]] = {}
        """The entries by their folded words, written as one."""
        self._patterns: dict[str, list[TermPattern]] = {}
        for entry in entries:
            self.words.setdefault("".join(words_of(entry.term)), []).append(entry)
            self._add(patterns_of(entry, languages))
        for term in allow:
            self._add(allowed_patterns(term))
        for same in self._patterns.values():
            same[:] = [self._unless_a_term(pattern) for pattern in same]
        self._automaton = ahocorasick.Automaton()
        for key in self._patterns:
            self._automaton.add_word(key, key)
        self._automaton.make_automaton()
        self._parts = {single_letters(w)[0] for part in compound_parts for w in words_of(part)}
        self._compound_parts: dict[str, bool] = {}

    def _add(self, patterns: Iterable[TermPattern]) -> None:
        for pattern in patterns:
            self._patterns.setdefault(pattern.key, []).append(pattern)
            if (
                pattern.entry
                and pattern.one_word
                and len(pattern.key) > TUNING.shortest_in_compound
            ):
                self._patterns.setdefault(
                    pattern.key.lstrip(), []
                )  # also as the tail of a compound

    def _unless_a_term(self, pattern: TermPattern) -> TermPattern:
        """An allowed term does not allow its plural where that is a term."""
        if (
            pattern.entry is None
            and pattern.one_word
            and any(self.complete_words(pattern.key[1:] + "s"))
        ):
            return replace(pattern, suffixes=frozenset(("",)))
        return pattern

    def hits(self, stream: WordStream, *, exact: bool = False) -> Iterator[Hit]:
        """Terms, allowed terms, and words that contain a stem or are compounds; in no order.

        With `exact`, compounds only of terms and parts, not with other English words.
        """
        if not self._patterns:
            return
        text = stream.text
        stemmed: set[tuple[int, str]] = set()
        for last, key in self._automaton.iter(text):
            start, end = last + 1 - len(key), last + 1
            before, after = stream.word(last)
            if key[0] == " ":
                yield from self._whole(stream, (start + 1, end, after), self._patterns[key], exact)
                continue
            # Once is enough, and a very long word may hold a stem very often.
            if self._patterns[key] and (before, key) not in stemmed:
                for pattern in self._patterns[key]:
                    if stream.has_required_repeats(start, end, pattern):
                        stemmed.add((before, key))
                        yield before, after, pattern
            if start > before and after - before <= TUNING.longest_compound:
                for pattern in self._patterns.get(" " + key, ()):
                    fits = pattern.entry is not None and stream.has_required_repeats(
                        start, end, pattern
                    )
                    places = (before, start, end, after)
                    if fits and self._compound(stream, places, pattern, exact):
                        yield before, after, pattern

    def _whole(
        self,
        stream: WordStream,
        places: tuple[int, int, int],
        patterns: list[TermPattern],
        exact: bool,
    ) -> Iterator[Hit]:
        start, end, after = places
        rest = stream.text[end:after] if after - end <= TUNING.longest_compound else " "
        for pattern in patterns:
            if not stream.has_required_repeats(start, end, pattern):
                continue
            compound = (
                pattern.entry is not None
                and pattern.one_word
                and len(pattern.key) > TUNING.shortest_in_compound
                and after - start <= TUNING.longest_compound
            )
            around = (start, *places)
            # An allowed term has its letters as often as they should be, in its plural too.
            runs = [] if pattern.entry is not None else stream.repeat_counts(end, after)
            ends = rest in pattern.suffixes and max(runs, default=1) == 1
            if ends or (compound and self._compound(stream, around, pattern, exact)):
                yield start, after, pattern

    def _compound(
        self,
        stream: WordStream,
        places: tuple[int, int, int, int],
        pattern: TermPattern,
        exact: bool,
    ) -> bool:
        """Whether a term with more before or after it in a word is a word of its own there.

        `places` are where the word begins, where the term does, where it ends, and where the word does.
        """
        before, start, end, after = places
        head, rest = stream.text[before:start], stream.text[end:after]
        if head == rest == "x":
            return True  # "xxIDIOTxx"
        if rest[:1].isdigit() and pattern.key[-1].isdigit():
            return False  # the number goes on
        if self._is_compound_part(head) and (
            rest in pattern.suffixes or self._is_compound_part(rest)
        ):
            return True
        # A term that is long enough also shows beside any English word, in what is none.
        return (
            not exact
            and sum(pattern.min_repeats) >= TUNING.shortest_beside_words
            and pattern.entry is not None
            and pattern.entry.severity >= Severity.MODERATE
            and (
                rest in pattern.suffixes
                or self._is_plain_word(stream.original_spelling(end, after))
            )
            and (not head or self._is_plain_word(stream.original_spelling(before, start)))
            and stream.original_spelling(before, after) not in self.vocabulary.dictionary
        )

    def _is_compound_part(self, text: str) -> bool:
        """Whether text beside a term says that it is one more word, not a part of the term's."""
        known = self._compound_parts.get(text)
        if known is None:
            if len(self._compound_parts) >= TUNING.most_remembered:
                self._compound_parts.clear()
            known = self._compound_parts[text] = self._is_made_of_parts(text)
        return known

    def _is_made_of_parts(self, text: str) -> bool:
        if not text:
            return True
        if text.isdigit():
            return len(text) <= TUNING.most_digits_beside
        if self._is_word(text):
            return True
        return any(
            self._is_word(text[:cut]) and self._is_compound_part(text[cut:])
            for cut in range(TUNING.shortest_in_compound, len(text) - 1)
        )

    def _is_word(self, text: str) -> bool:
        if text in self._parts or (text.endswith("s") and text[:-1] in self._parts):
            return True
        return len(text) > 1 and any(pattern.one_word for _, pattern in self.complete_words(text))

    def complete_words(self, word: str) -> Iterator[tuple[int, TermPattern]]:
        """The terms of one word that are the whole of `word`, which is in single letters.

        With each, how many of the letters are its own. Runs are not looked at.
        """
        for length in range(len(word), max(0, len(word) - 5), -1):
            for pattern in self._patterns.get(" " + word[:length], ()):
                if pattern.entry is not None and word[length:] in pattern.suffixes:
                    yield length, pattern

    def _is_plain_word(self, text: str) -> bool:
        """Short ones only where they are common: dictionaries hold every pair of letters."""
        words = self.vocabulary
        long = len(text) >= TUNING.shortest_dictionary_word
        return text in words.common or (long and text in words.dictionary)

    def has_prefix(self, text: str) -> bool:
        """Whether a pattern's key begins so."""
        return bool(self._automaton.match(text))

    def longest_prefix(self, text: str) -> int:
        """How many of the first characters of `text` some pattern's key begins with."""
        if not self._patterns:
            return 0  # asked so, an automaton without keys ends the process
        return int(self._automaton.longest_prefix(text))

    def with_key(self, key: str) -> list[TermPattern]:
        """The patterns of a key."""
        return self._patterns.get(key, [])

    def with_wildcards(self, wanted: str) -> Iterator[TermPattern]:
        """The patterns with a key such as `wanted`, in which "?" stands for any one character."""
        if self._patterns:
            for key in self._automaton.keys(wanted, "?", ahocorasick.MATCH_EXACT_LENGTH):
                yield from self._patterns[key]
