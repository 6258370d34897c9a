"""A folded text as the term index reads it: `"so, sooo good"` is `" so so god "`."""

from __future__ import annotations

import re
import string
from bisect import bisect_left

from inkguard.fork import lazy
from inkguard.match.term_pattern import TermPattern

__all__ = ["WordStream"]

_TOKEN = re.compile(r"[^\W_]+")
_SPACE = re.compile(" ")
_DOUBLES = tuple((letter * 2, letter) for letter in string.ascii_lowercase)
_RUN = re.compile(r"([^\W\d_])\1+")
_PIECE = re.compile(r"([^\W\d_])\1*|.")


class WordStream:
    """The words of a folded text, with a space before, between and after them.

    In each word runs of one letter are one letter. Where the characters of `text` stand in the folded text is worked
    out word by word, when it is asked for: most texts hold no term.

        >>> stream = WordStream("so, sooo good")
        >>> stream.text, stream.span(4, 6), stream.repeat_counts(4, 6)
        (' so so god ', (4, 8), [1, 3])
    """

    def __init__(self, folded: str) -> None:
        self._folded = folded
        apart = " ".join(("", *_TOKEN.findall(folded), ""))
        self.text = _without_doubles(apart)
        self._no_doubles = self.text == apart

    @lazy
    def breaks(self) -> list[int]:
        """Where the spaces stand in `text`."""
        return [match.start() for match in _SPACE.finditer(self.text)]

    @lazy
    def _words(self) -> list[tuple[int, int]]:
        return [match.span() for match in _TOKEN.finditer(self._folded)]

    def word(self, place: int) -> tuple[int, int]:
        """Half-open offsets of the word in `text` that the character at `place` belongs to."""
        number = bisect_left(self.breaks, place)
        return self.breaks[number - 1] + 1, self.breaks[number]

    def repeat_counts(self, start: int, end: int) -> list[int]:
        """How often each character of `text[start:end]` stands in the folded text, one after the other."""
        if self._no_doubles:
            return [1] * (end - start)
        found: list[int] = []
        while start < end:
            number = bisect_left(self.breaks, start)
            first, after = self.breaks[number - 1] + 1, min(self.breaks[number], end)
            found += self._pieces(number - 1)[start - first : after - first]
            found += [1] * (end > after)
            start = after + 1
        return found

    def _pieces(self, number: int) -> list[int]:
        """How often each letter of a word is repeated."""
        start, end = self._words[number]
        if end - start == self.breaks[number + 1] - self.breaks[number] - 1:
            return [1] * (end - start)
        return [len(match[0]) for match in _PIECE.finditer(self._folded, start, end)]

    def has_required_repeats(self, start: int, end: int, pattern: TermPattern) -> bool:
        """Whether `text[start:end]` has each letter as often as the pattern needs it."""
        if pattern.no_doubles and (self._no_doubles or pattern.entry is not None):
            return True
        return pattern.has_required_repeats(self.repeat_counts(start, end))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where `text[start:end]`, which begins and ends with a word's letter, lies in the folded text."""
        return self._place(start)[0], self._place(end - 1)[1]

    def _place(self, place: int) -> tuple[int, int]:
        number = bisect_left(self.breaks, place) - 1
        start, within = self._words[number][0], place - self.breaks[number] - 1
        if self._no_doubles:
            return start + within, start + within + 1
        pieces = self._pieces(number)
        start += sum(pieces[:within])
        return start, start + pieces[within]

    def original_spelling(self, start: int, end: int) -> str:
        """`text[start:end]` with its letters as often as they stood in the folded text."""
        if self._no_doubles:
            return self.text[start:end]
        return "".join(map(str.__mul__, self.text[start:end], self.repeat_counts(start, end)))


def _without_doubles(text: str) -> str:
    """Runs of one letter made one: `" looser "` gives `" loser "`. Digits never collapse."""
    if not text.isascii():
        return _RUN.sub(r"\1", text)
    for double, letter in _DOUBLES:  # much faster than the expression, since most are not there
        while double in text:
            text = text.replace(double, letter)
    return text
