"""Letters that a prompt lists one by one: "the letters F, U and N", "an A next to a B"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

__all__ = ["listed"]

_MOST = 500
_CUE = re.compile(
    r"\b(?:[Ll]etters?|LETTERS?|[Ii]nitials|[Ss]pell\w*|SPELL\w*|reads|says|saying)\b"
)
_CAPITAL = re.compile(r"[^\W\d_a-z](?![^\W_])(?<![^\W_].)(?<!['’].)(?!['’]\w)", re.DOTALL)
_SMALL = re.compile(
    r"(?<![^\W_])(?<!['’])[^\W\d_A-Z](?:\s?(?:[,;/.·•|+–—-]|and\b|then\b|&)\s?(?:and\s|then\s)?"
    r"[^\W\d_A-Z](?![^\W_])(?!['’]\w)){2,40}"
)
# What stands between letters of a list, and between letters that are placed one by one.
_LISTED = re.compile(
    r"(?:[\s,;/+&|.·•‐‑–—\"'“”‘’-]|\b(?:and|then|next|plus|followed|by|finally|lastly|an?|the|letter"
    r"|another|in|that|order)\b){1,12}"
)
_TIGHT = re.compile(r"[\s,;/+&|.·•‐‑–—-]{0,4}")
_PLACED = re.compile(r"[^.\n]{0,60}")


def listed(text: str) -> Iterator[tuple[int, int]]:
    """The half-open ranges of listed letters: one range for letters with only signs in between."""
    cue = _CUE.search(text)
    if cue:
        for small in islice(_SMALL.finditer(text, cue.end()), _MOST):
            yield small.span()
    run: list[int] = []
    said = False
    for match in islice(_CAPITAL.finditer(text), _MOST):
        if not match[0].isalpha() or match[0].islower():
            continue
        at = match.start()
        if run:
            gap = (run[-1] + 1, at)
            if _LISTED.fullmatch(text, *gap) or (said and _PLACED.fullmatch(text, *gap)):
                run.append(at)
                continue
            yield from _ranges(text, run, said)
        run = [at]
        said = cue is not None and cue.start() <= at
    yield from _ranges(text, run, said)


def _ranges(text: str, run: list[int], said: bool) -> Iterator[tuple[int, int]]:
    if len(run) < (2 if said else 3):
        return
    start = end = run[0]
    for at in run:
        if not _TIGHT.fullmatch(text, end, at):
            yield start, end
            start = at
        end = at + 1
    yield start, end
