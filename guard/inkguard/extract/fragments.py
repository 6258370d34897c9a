"""The fragments of the text to be drawn: each line of each span, without what is not drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from inkguard.languages import Language
from inkguard.text import MappedText
from inkguard.types import TextSpan

__all__ = ["first_words", "fragments", "last_words"]

_BREAK = re.compile(r"-?\s*[\n\r\u2028\u2029]\s*|\s+[/|]+\s+")
_SIGN = r"[\s,;/+&|.·•‐‑–—\"'“”‘’*~-]"
_LETTER = re.compile(r"(?<![^\W_])[^\W_](?![^\W_])")


@cache
def _spelled(languages: tuple[Language, ...]) -> re.Pattern[str]:
    """Letters one by one: "H, E and L"."""
    cues = [language.cues for language in languages if language.cues is not None]
    words = "|".join(c.letters_small_between for c in cues) or "(?!)"
    return re.compile(
        rf"[^\W_](?:{_SIGN}{{1,4}}(?:(?:{words})\s{{1,2}}){{0,2}}[^\W_](?![^\W_])){{1,200}}[\s.,;]*"
    )


def fragments(
    view: MappedText, spans: Sequence[TextSpan], languages: tuple[Language, ...]
) -> list[MappedText]:
    """The fragments of all spans, in the order of the prompt; seams are where something is not drawn.

    `"HEL\\nLO"` gives "HEL" and "LO"; `"H, E, Y"` gives "HEY", with two seams.
    """
    found: list[MappedText] = []
    for span in spans:
        found += _lines(view, *view.from_prompt(span.start, span.end), languages)
    return found


def _lines(
    view: MappedText, start: int, end: int, languages: tuple[Language, ...]
) -> Iterator[MappedText]:
    at = start
    for gap in _BREAK.finditer(view.text, start, end):
        yield from _fragment(view.slice(at, gap.start()), languages)
        at = gap.end()
    yield from _fragment(view.slice(at, end), languages)


def _fragment(line: MappedText, languages: tuple[Language, ...]) -> Iterator[MappedText]:
    if _spelled(languages).fullmatch(line.text):
        kept = [match.start() for match in _LETTER.finditer(line.text)]
        yield line.keep(kept).with_seams(range(1, len(kept)))
    elif line.text.strip():
        yield line.with_seams(_unwritten(line))


def _unwritten(line: MappedText) -> Iterator[int]:
    """Where a line does not go on as the prompt does."""
    starts, ends = line.starts, line.ends
    if not isinstance(starts, range):
        for i in range(1, len(starts)):
            if starts[i - 1] + 1 != starts[i] or ends[i] != starts[i] + 1:
                yield i


def last_words(text: MappedText, most: int) -> MappedText:
    """The last words, of about `most` characters: `("A BIG CAT", 5)` gives "CAT"."""
    if len(text) <= most:
        return text
    cut = text.text.find(" ", len(text) - most) + 1 or len(text) - most
    return text.slice(cut, len(text))


def first_words(text: MappedText, most: int) -> MappedText:
    """The first words, of about `most` characters: `("A BIG CAT", 5)` gives "A"."""
    if len(text) <= most:
        return text
    cut = text.text.rfind(" ", 0, most)
    return text.slice(0, most if cut < 0 else cut)
