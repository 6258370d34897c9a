"""Quoted text, in every style of quotes, also where the quotes do not match up.

In doubt, text is quoted: a needless span costs one look-up, a missed one is a way around the guard.
So an unbalanced quote reaches to the end of its line, and what stands before a quote that closes
nothing counts as quoted.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from inkguard.extract.quote_marks import CLOSERS, INNER_DOUBLE, MARKS, NESTING, SINGLE, STRAY
from inkguard.extract.tuning import TUNING

__all__ = ["quoted"]

_MARK = re.compile("[" + re.escape("".join(sorted(MARKS))) + "]")
_BOUNDARY = re.compile(r"[.?;:,。！？]\s|\n")
# 'tis, 'twas, '90s, rock 'n' roll: an apostrophe in front of a word.
_ELISION = re.compile(
    r"['’](?:\d0s|(?:[Tt]is|[Tt]was|[Tt]il|[Tt]ill|cause|em)\b|(?P<n>n)(?!\w| \w+['’]))"
)
_DOUBLES = '"”″'
_BACKTICKS = "`´｀"
# The whole prompt in quotes, with a cue in front of quotes of another kind: pasted, not drawn.
_PASTED = re.compile(
    r"\s*([\"'])(?:(?!\1)[^\n]){0,2000}?[\w:]\s?(?:" + INNER_DOUBLE + r"|\ue027)"
    r"(?:(?!\1).){1,9000}\1\s*\Z",
    re.DOTALL,
)


def quoted(text: str) -> Iterator[tuple[int, int]]:
    """The half-open ranges between quotes, in order and apart. They may be empty or blank.

    `'a "CAFE" sign, “OPEN'` gives the ranges of "CAFE" and, to the end of the line, of "OPEN".
    """
    marks = [match.start() for match in _bounded(text)]
    yield from _Quotes(text, marks).ranges()


def _bounded(text: str) -> Iterator[re.Match[str]]:
    pasted = _PASTED.match(text)
    first, last = (pasted.start(1), len(text.rstrip()) - 1) if pasted else (-1, -1)
    for count, match in enumerate(_MARK.finditer(text)):
        if count == TUNING.most_quotes:
            break
        if match.start() not in (first, last):
            yield match


class _Quotes:
    """One pass over a text's quotes. Every look-ahead is in a table, which keeps it linear."""

    def __init__(self, text: str, marks: list[int]) -> None:
        self._text = text
        self._marks = marks
        self._places: dict[str, list[int]] = {}
        self._endings: dict[str, list[int]] = {}
        for i in marks:
            self._places.setdefault(text[i], []).append(i)
            if text[i] in SINGLE and not self._word(i + 1):
                self._endings.setdefault(text[i], []).append(i)
        self._partner = self._nested()

    def ranges(self) -> Iterator[tuple[int, int]]:
        """The quoted ranges, in order."""
        text = self._text
        at = 0  # everything before is done with
        scan = 0
        for i in self._marks:
            if i < scan:
                continue
            mark = text[i]
            if mark in SINGLE:
                if self._is_doubled(i, at) or not self._opens_single(i):
                    continue
            elif self._is_inch_mark(i) or self._is_doubled(i, at) or self._is_accent(i):
                continue
            elif self._closes(i) or (at and self._is_loose(i)):
                yield self._segment_start(at, i), i
                at = i + 1
            if mark not in CLOSERS:
                continue
            end = self._closer(i, mark)
            if end is None:
                if (mark in "”»›❞❜" and self._closes(i)) or mark in "´":
                    continue
                end = text.find("\n", i + 1)
                end = len(text) if end < 0 else end
            yield i + 1, end
            at = scan = min(end + 1, len(text))
        if len(self._marks) >= TUNING.most_quotes - 2 and (
            beyond := max(at, self._marks[-1] + 1)
        ) < len(text):
            yield beyond, len(text)

    def _nested(self) -> dict[int, int]:
        """The partners of marks with a direction, as far as they balance."""
        partner: dict[int, int] = {}
        stack: list[int] = []
        for i in self._marks:
            mark = self._text[i]
            if stack and mark in NESTING[self._text[stack[-1]]]:
                partner[stack.pop()] = i
            elif mark in NESTING:
                stack.append(i)
        return partner

    def _closer(self, opened: int, mark: str) -> int | None:
        if opened in self._partner:
            return self._partner[opened]
        for closer in CLOSERS[mark]:
            if mark in SINGLE:
                end = _next(self._endings.get(closer, ()), opened + 2)
                # DOGS' HOME': the plural's apostrophe does not close.
                if end is not None and self._text[end - 1] in "sS":
                    later = _next(self._endings.get(closer, ()), end + 1)
                    end = (
                        later if later is not None and later <= end + TUNING.longest_plural else end
                    )
            else:
                end = _next(self._places.get(closer, ()), opened + 1)
                while end is not None and mark in _BACKTICKS and self._is_accent(end):
                    end = _next(self._places[closer], end + 1)
            if end is not None:
                return end
        return None

    def _word(self, i: int) -> bool:
        return 0 <= i < len(self._text) and self._text[i].isalnum()

    def _solid(self, i: int) -> bool:
        return 0 <= i < len(self._text) and not self._text[i].isspace()

    def _opens_single(self, i: int) -> bool:
        if self._word(i - 1) or not self._solid(i + 1):
            return False
        elision = _ELISION.match(self._text, i)
        if elision is None:
            return True
        end = None if elision["n"] else self._closer(i, self._text[i])
        return end is not None and end <= i + TUNING.longest_plural

    def _is_inch_mark(self, i: int) -> bool:
        digit = i > 0 and self._text[i - 1].isdigit()
        return self._text[i] in _DOUBLES and digit and not self._word(i + 1)

    def _is_accent(self, i: int) -> bool:
        """Whether a backtick or accent stands for an apostrophe: don`t."""
        return self._text[i] in _BACKTICKS and self._word(i - 1) and self._word(i + 1)

    def _is_doubled(self, i: int, at: int) -> bool:
        """Whether a quote is the outer one of a doubled pair, as in ""HELLO""."""
        before = 0 < at == i and self._text[i - 1] == self._text[i] and not self._word(i + 1)
        return before or self._text[i + 1 : i + 2] == self._text[i]

    def _closes(self, i: int) -> bool:
        """Whether a quote outside of quotes looks like the end of something."""
        stray = self._text[i] in STRAY and self._solid(i - 1)
        return stray and not self._word(i + 1)

    def _is_loose(self, i: int) -> bool:
        """Whether a quote with space around it may as well close as open."""
        return self._text[i] in STRAY and not self._solid(i - 1) and not self._solid(i + 1)

    def _segment_start(self, at: int, i: int) -> int:
        start = at
        for boundary in _BOUNDARY.finditer(self._text, at, i):
            start = boundary.end()
        return start


def _next(places: list[int] | tuple[()], start: int) -> int | None:
    """The first of the sorted places at or after `start`."""
    at = bisect_left(places, start)
    return places[at] if at < len(places) else None
