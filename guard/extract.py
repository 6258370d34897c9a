"""Finds the text that a prompt wants drawn: quoted text, and unquoted text after the common cues.

In doubt, text is a span: a needless span costs one look-up, a missed one is a way around the guard.
So an unbalanced quote reaches to the end of its line, and what stands before a quote that closes
nothing counts as quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from guard.types import TextSpan

__all__ = ["extract"]

# For each opening quote, its closers, best first: mixed pairs are common ("“HELLO\"").
_CLOSERS: dict[str, tuple[str, ...]] = {
    '"': ('"', "”"),
    "＂": ("＂", '"'),
    "“": ("”", '"', "“"),
    "”": ("”", '"'),
    "„": ("“", "”", '"'),
    "‟": ("”", '"'),
    "«": ("»",),
    "»": ("«", "»"),
    "‹": ("›",),
    "›": ("‹", "›"),
    "`": ("`", "'", "´"),
    "「": ("」",),
    "『": ("』",),
    "｢": ("｣",),
    "﹁": ("﹂",),
    "﹃": ("﹄",),
    "〝": ("〞", "〟"),
    "'": ("'", "’"),
    "‘": ("’", "'"),
    "‚": ("‘", "’", "'"),
    "’": ("’", "'"),
}
_SINGLE = frozenset("'‘’‚")
_STRAY = frozenset('"＂”“»›`」』｣﹂﹄〞〟')
_TRIM = "".join(_CLOSERS) + "".join(_STRAY) + "´"
_QUOTE = re.compile("[" + re.escape("".join(_CLOSERS) + "".join(_STRAY - _CLOSERS.keys())) + "]")
_BOUNDARY = re.compile(r"[.?;:,。！？]\s|\n")
# 'tis, 'twas, '90s, rock 'n' roll: an apostrophe in front of a word.
_ELISION = re.compile(r"['’](?:\d0s|(?:tis|twas|til|till|cause|em|n)\b)", re.IGNORECASE)


def extract(prompt: str) -> tuple[TextSpan, ...]:
    """The spans of text to be drawn, sorted and apart from each other. Never raises.

    `cue` is "quoted" or "unquoted". Quotes and outer white space are no part of a span.
    """
    spans = list(_Quotes(prompt).spans())
    taken = [(s.start, s.end) for s in spans]
    spans += _unquoted(prompt, taken)
    return tuple(sorted(spans, key=lambda s: s.start))


class _Quotes:
    """One pass over a prompt's quotes. Every look-ahead is remembered, which keeps it linear."""

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self._next: dict[str, int] = {}

    def spans(self) -> Iterator[TextSpan]:
        """The quoted spans, in order."""
        at = 0  # everything before is done with
        scan = 0
        while match := _QUOTE.search(self._prompt, scan):
            i, quote = match.start(), match[0]
            scan = i + 1
            if quote in _SINGLE:
                if not self._opens_single(i):
                    continue
            elif self._is_inch_mark(i) or self._is_doubled(i, at):
                continue
            elif self._closes(i) or (at and self._is_loose(i)):
                yield from self._span(self._segment_start(at, i), i)
                at = i + 1
            if quote not in _CLOSERS:
                continue
            end = self._closer(i, quote)
            if end is None:
                if quote in "”»›" and self._closes(i):
                    continue
                end = self._find("\n", i + 1)
                end = len(self._prompt) if end < 0 else end
            yield from self._span(i + 1, end)
            at = scan = min(end + 1, len(self._prompt))

    def _closer(self, opened: int, quote: str) -> int | None:
        for closer in _CLOSERS[quote]:
            if quote in _SINGLE:
                end = self._find_single(closer, opened + 2)
                # DOGS' HOME': the plural's apostrophe does not close.
                if end > 0 and self._prompt[end - 1] in "sS":
                    later = self._find_single(closer, end + 1, remember=False)
                    end = later if later >= 0 else end
            else:
                end = self._find(closer, opened + 1)
            if end >= 0:
                return end
        return None

    def _find(self, closer: str, start: int) -> int:
        known = self._next.get(closer, 0)
        if closer not in self._next or 0 <= known < start:
            known = self._next[closer] = self._prompt.find(closer, start)
        return known

    def _find_single(self, closer: str, start: int, *, remember: bool = True) -> int:
        """The next quote that can close: not before a letter, and on the same line if plural."""
        key = "single" + closer
        known = self._next.get(key, 0)
        if remember and key in self._next and (known < 0 or known >= start):
            return known
        limit = len(self._prompt)
        if not remember:  # a short way only: this look-ahead is not remembered
            limit = min(limit, start + 60)
        at = self._prompt.find(closer, start, limit)
        while at >= 0 and self._word(at + 1):
            at = self._prompt.find(closer, at + 1, limit)
        if remember:
            self._next[key] = at
        return at

    def _word(self, i: int) -> bool:
        return 0 <= i < len(self._prompt) and self._prompt[i].isalnum()

    def _solid(self, i: int) -> bool:
        return 0 <= i < len(self._prompt) and not self._prompt[i].isspace()

    def _opens_single(self, i: int) -> bool:
        return not self._word(i - 1) and self._solid(i + 1) and not _ELISION.match(self._prompt, i)

    def _is_inch_mark(self, i: int) -> bool:
        digit = i > 0 and self._prompt[i - 1].isdigit()
        return self._prompt[i] in '"”' and digit and not self._word(i + 1)

    def _is_doubled(self, i: int, at: int) -> bool:
        """Whether a quote is the outer one of a doubled pair, as in ""HELLO""."""
        before = 0 < at == i and self._prompt[i - 1] == self._prompt[i] and not self._word(i + 1)
        return before or self._prompt[i + 1 : i + 2] == self._prompt[i]

    def _closes(self, i: int) -> bool:
        """Whether a quote outside of quotes looks like the end of something."""
        stray = self._prompt[i] in _STRAY and self._solid(i - 1)
        return stray and not self._word(i + 1)

    def _is_loose(self, i: int) -> bool:
        """Whether a quote with space around it may as well close as open."""
        return self._prompt[i] in _STRAY and not self._solid(i - 1) and not self._solid(i + 1)

    def _segment_start(self, at: int, i: int) -> int:
        start = at
        for boundary in _BOUNDARY.finditer(self._prompt, at, i):
            start = boundary.end()
        return start

    def _span(self, start: int, end: int) -> Iterator[TextSpan]:
        yield from _trimmed(self._prompt, start, end, "quoted")


def _trimmed(prompt: str, start: int, end: int, cue: str) -> Iterator[TextSpan]:
    while start < end and (prompt[start].isspace() or prompt[start] in _TRIM):
        start += 1
    while start < end and (prompt[end - 1].isspace() or prompt[end - 1] in _TRIM):
        end -= 1
    if start < end:
        yield TextSpan(start=start, end=end, text=prompt[start:end], cue=cue)


_NOUN = (
    r"(?:texts?|words?|letters|lettering|captions?|slogans?|titles?|phrases?|messages?|headline)"
)
_CUE = re.compile(
    rf"""\b(?:
      (?:that|which|it|and)\s(?:just\s|only\s)?(?:says?|reads?|spells?)(?:\sout)?
    | (?:says|saying|reads|spells|spelling|spelled|spelt)(?:\sout)?
    | (?P<reading>reading)
    | (?:with|bearing|displaying|showing|has|having|the|in)\s
      (?:(?:the|a|an|large|big|bold|red|neon)\s){{0,3}}{_NOUN}(?:\s(?:is|are|reads?|says?|saying|reading))?
    | (?:{_NOUN}|label|sign)(?=\s?[:=])
    | label(?:l)?ed(?:\sas|\swith)? | titled | entitled | captioned
    | (?P<written>written|inscribed(?:\swith)?|emblazoned\swith|engraved\swith)
    )\b\s?[:=]?\s""",
    re.IGNORECASE | re.VERBOSE,
)
_CARRIER = re.compile(
    r"\b(?:signs?|signboard|posters?|banners?|billboard|shirts?|t-shirt|tee|hoodie|mugs?|caps?|hats?"
    r"|labels?|stickers?|placard|plaque|board|blackboard|chalkboard|whiteboard|screen|display|neon|note"
    r"|card|letters?|text|caption|graffiti|tattoo|logo|cake|book|cover|headline|flag|bumper|plate"
    r"|message|paper|wall|panel|badge|button)s?\s(?:\w+\s){0,2}$",
    re.IGNORECASE,
)
_STOPS = (
    r"on|in|at|above|below|beneath|under|over|across|by|near|next|against|from|behind|beside|inside"
    r"|outside|while|as|with|hanging|standing|held|holding|painted|printed|written|drawn|carved|made"
    r"|surrounded|attached|onto|around|between|during|and\s(?:an?|the|his|her|two|some)"
)
_END = re.compile(rf"[.,;:](?=\s|$)|[。，；\n]|(?<=\s)(?:{_STOPS})(?=\s)|\s[-–—|]\s")
_ARTICLE = re.compile(r"(?:an?|the|his|her|their|its|my|our|this|that|these|those|some|about|to)\s")
_NOTHING = re.compile(rf"(?:{_STOPS}|of|for|is|are|was)(?!\w)")
_LONGEST = 160
# IDIOT written on a wall: capitals in front of the cue.
_CAPITALS = re.compile(
    r"(?<!\w)(?P<text>[^\W\d_a-z][^\W_a-z]{1,30}(?:\s[^\W_a-z]{1,30}){0,5})\s(?:is\s|are\s)?"
    r"(?:written|painted|printed|spelled|engraved|carved|sprayed|(?:in|as)\s(?:\w+\s){0,3}"
    r"(?:letters|lettering|text|font|type|graffiti))\b"
)


def _unquoted(prompt: str, taken: list[tuple[int, int]]) -> Iterator[TextSpan]:
    """Spans after (or, in capitals, before) a cue, outside of the ranges that are taken."""
    found = [(m.start("text"), m.end("text")) for m in _CAPITALS.finditer(prompt)]
    for cue in _CUE.finditer(prompt):
        start = cue.end()
        weak = cue["reading"] is not None and not _CARRIER.search(
            prompt, max(0, cue.start() - 60), cue.start()
        )
        if (weak or cue["written"]) and _ARTICLE.match(prompt, start):
            continue
        if _NOTHING.match(prompt, start):
            continue
        stop = _END.search(prompt, start, start + _LONGEST)
        found.append((start, stop.start() if stop else min(len(prompt), start + _LONGEST)))
    at = 0
    quoted = iter((*taken, (len(prompt), len(prompt))))
    left, right = next(quoted)
    for start, end in sorted(found):
        start = max(start, at)
        while right <= start and left < len(prompt):
            left, right = next(quoted)
        if left <= start:  # the cue stands in quotes
            continue
        end = min(end, left)
        if start < end:
            yield from _trimmed(prompt, start, end, "unquoted")
            at = end
