"""Unquoted text that a phrase announces: "a sign saying X", "X written in icing".

What announces text is in `inkguard.languages`; here it is put together and searched for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice

from inkguard.extract.prompt_weights import GROUP_END, GROUP_START
from inkguard.extract.quote_marks import MARKS, SINGLE
from inkguard.extract.tuning import TUNING
from inkguard.languages import LANGUAGES, Cues, Language
from inkguard.text.mapped_text import Range

__all__ = ["cued_ranges", "same_length_lower"]

_GAP = r"(?:\s{0,3}[:=]\s{0,3}|\s+[-–—]{1,2}>?\s+|\s{1,8})"
_QUOTES = re.escape("".join(sorted(MARKS - SINGLE)))
_EDGES = rf"[.,;:](?=\s|$)|[。，；\n{GROUP_START}{GROUP_END}]|\s[-–—|]+>?\s"


@dataclass(frozen=True, slots=True)
class _Patterns:
    """One language's cues, compiled."""

    after: re.Pattern[str]
    carrier: re.Pattern[str]
    end: re.Pattern[str]
    no_text: re.Pattern[str]
    article: re.Pattern[str]
    continued: re.Pattern[str]
    before: re.Pattern[str]
    text_before: re.Pattern[str]
    descriptions: frozenset[str]


@cache
def _compiled(cues: Cues) -> _Patterns:
    articles = cues.before_articles
    return _Patterns(
        after=re.compile(rf"\b(?:{cues.after})\b{_GAP}", re.VERBOSE),
        carrier=re.compile(rf"\b(?:{cues.carriers})\s(?:\w+\s){{0,2}}$", re.VERBOSE),
        end=re.compile(rf"{_EDGES}|(?<=\s)(?:{cues.ends})(?=\s)", re.VERBOSE),
        no_text=re.compile(rf"(?:{cues.no_text})(?!\w)", re.VERBOSE),
        article=re.compile(rf"(?:{cues.articles})\s", re.VERBOSE),
        continued=re.compile(rf"\s?(?:{cues.continued})", re.VERBOSE),
        before=re.compile(rf"(?<=\s)(?:{cues.before})\b", re.VERBOSE),
        text_before=re.compile(
            rf"(?s:.*)(?:\b(?:{cues.before_starts}|(?P<article>{articles}))\s"
            rf"|^|[.,;:!?()\n{GROUP_START}{GROUP_END}]\s*)"
            rf"\s*(?!(?:{articles})\s)(?P<text>(?:[^\s.,;:{_QUOTES}]+\s){{1,4}})$",
            re.VERBOSE,
        ),
        descriptions=cues.descriptions,
    )


def same_length_lower(text: str) -> str:
    """`text` in small letters, of the same length: "İ", whose small letter has two characters, stays."""
    low = text.lower()
    if len(low) != len(text):
        low = "".join(c if len(c.lower()) != 1 else c.lower() for c in text)
    return low


def cued_ranges(text: str, languages: Iterable[Language] = LANGUAGES) -> Iterator[Range]:
    """The half-open ranges of text after or before a cue. They may overlap, and be blank.

    `"a sign saying HELLO"` gives the range of "HELLO".
    """
    low = same_length_lower(text)
    for language in languages:
        if language.cues is not None:
            yield from _cued(text, low, _compiled(language.cues))


def _cued(text: str, low: str, patterns: _Patterns) -> Iterator[Range]:
    most = TUNING.most_cues
    for count, cue in enumerate(islice(patterns.after.finditer(low), most)):
        yield from _after_cue(text, low, cue, patterns)
        if count == most - 1:
            yield cue.end(), len(text)
    for cue in islice(patterns.before.finditer(low), most):
        yield from _before_cue(low, cue, patterns)


def _after_cue(text: str, low: str, cue: re.Match[str], patterns: _Patterns) -> Iterator[Range]:
    start, kind = cue.end(), cue.lastgroup
    # "a man called Tom", "a girl reading a book"
    carried = kind in ("carried", "verb") and _is_carried(low, cue.start(), patterns)
    thing = kind == "bare" or (kind == "verb" and not carried)
    if (thing and patterns.article.match(text, start)) or patterns.no_text.match(text, start):
        return
    if kind == "carried" and not carried:
        return
    end = _end(text, start, cue[0].count(GROUP_START), patterns)
    yield start, end
    more = patterns.continued.match(low, max(start, end - 1), end + 90)
    if more:
        yield more.span(more.lastgroup or 0)


def _is_carried(low: str, place: int, patterns: _Patterns) -> bool:
    return patterns.carrier.search(low, max(0, place - 60), place) is not None


def _end(text: str, start: int, depth: int, patterns: _Patterns) -> int:
    """Where the text that begins at `start` ends; `depth` groups are open there."""
    limit = min(len(text), start + TUNING.longest_cued)
    for stop in patterns.end.finditer(text, start, limit):
        if stop[0] == GROUP_START:
            depth += 1
        elif stop[0] == GROUP_END and depth:
            depth -= 1
        else:
            return stop.start()
    return limit


def _before_cue(low: str, cue: re.Match[str], patterns: _Patterns) -> Iterator[Range]:
    first = max(0, cue.start() - TUNING.farthest_before_cue)
    before = patterns.text_before.match(low[first : cue.start()])
    if before is None:
        return
    if cue.lastgroup == "loose":
        if patterns.descriptions.issuperset(before["text"].split()):
            return
    elif before["article"]:  # a mural painted on the wall
        return
    yield first + before.start("text"), first + before.end("text")
