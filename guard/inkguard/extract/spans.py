"""The spans of a prompt: what is quoted, and unquoted text with a cue, in offsets of the prompt."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from inkguard.extract.cues import cued_ranges
from inkguard.extract.encoder_view import as_encoder_reads
from inkguard.extract.quote_marks import MARKS
from inkguard.extract.quotes import quoted
from inkguard.extract.spelled_letters import listed_letters
from inkguard.extract.typographic import capitals, hashtags
from inkguard.languages import LANGUAGES, Language
from inkguard.text import MappedText
from inkguard.text.mapped_text import Range
from inkguard.types import TextSpan

__all__ = ["extract"]


def extract(
    prompt: str,
    view: MappedText | None = None,
    *,
    languages: tuple[Language, ...] = LANGUAGES,
) -> tuple[TextSpan, ...]:
    """The spans of text to be drawn, sorted and apart from each other. Never raises.

    `cue` is "quoted" or "unquoted". Quotes and outer white space are no part of a span. `view` is
    `as_encoder_reads(prompt)`, for a caller that has it already.

        >>> [span.text for span in extract('a "CAFE" sign, the door says OPEN')]
        ['CAFE', 'OPEN']
    """
    seen = as_encoder_reads(prompt) if view is None else view
    inside = [r for r in (_trimmed(seen.text, *q) for q in quoted(seen.text)) if r]
    spans = [_span(prompt, seen, r, "quoted") for r in inside]
    spans += (_span(prompt, seen, r, "unquoted") for r in _unquoted(seen.text, inside, languages))
    spans.sort(key=lambda s: s.start)
    return tuple(spans)


def _unquoted(text: str, inside: list[Range], languages: tuple[Language, ...]) -> Iterator[Range]:
    found = [*_clipped(cued_ranges(text, languages), inside)]
    for ranges in (capitals(text), hashtags(text), listed_letters(text, languages)):
        parts = _without(ranges, inside)
        found += ((a, b) for a, b in parts if any(map(str.isalnum, text[a:b])))
    at = 0
    for start, end in _united(found):
        trimmed = _trimmed(text, max(start, at), end)
        if trimmed:
            yield trimmed
            at = trimmed[1]


def _clipped(ranges: Iterable[Range], inside: list[Range]) -> Iterator[Range]:
    """Ranges that begin outside of quotes, up to the next quotes: their cue reaches no further."""
    ends = [end for _, end in inside]
    for start, end in ranges:
        at = bisect_left(ends, start + 1)
        if at == len(inside):
            yield start, end
        elif inside[at][0] > start:
            yield start, min(end, inside[at][0])


def _without(ranges: Iterable[Range], inside: list[Range]) -> Iterator[Range]:
    """The parts of ranges that lie outside of quotes."""
    ends = [end for _, end in inside]
    for start, end in ranges:
        at = bisect_left(ends, start + 1)
        while at < len(inside) and inside[at][0] < end:
            yield start, inside[at][0]
            start = inside[at][1]
            at += 1
        yield start, end


def _united(ranges: Iterable[Range]) -> Iterator[Range]:
    """Overlapping ranges made one."""
    whole: Range | None = None
    for start, end in sorted(r for r in ranges if r[0] < r[1]):
        if whole and start < whole[1]:
            whole = whole[0], max(whole[1], end)
            continue
        if whole:
            yield whole
        whole = start, end
    if whole:
        yield whole


def _trimmed(text: str, start: int, end: int) -> Range | None:
    while start < end and (text[start].isspace() or text[start] in MARKS):
        start += 1
    while start < end and (text[end - 1].isspace() or text[end - 1] in MARKS):
        end -= 1
    return (start, end) if start < end else None


def _span(prompt: str, seen: MappedText, found: Range, cue: str) -> TextSpan:
    start, end = seen.to_prompt(*found)
    if found[1] - found[0] != end - start:
        end = _balanced(prompt, start, end)
    return TextSpan(start=start, end=end, text=prompt[start:end], cue=cue)


def _balanced(prompt: str, start: int, end: int) -> int:
    """`end`, moved behind the bracket that closes one opened in between: "A (B" to "A (B)"."""
    inside = prompt[start:end]
    opened = inside.count("(") == inside.count(")") + 1
    return end + 1 if opened and prompt[end : end + 1] == ")" else end
