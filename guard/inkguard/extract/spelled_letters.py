"""Letters that a prompt lists one by one: "the letters F, U and N", "an A next to a B"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice

from inkguard.extract.tuning import TUNING
from inkguard.languages import LANGUAGES, Language
from inkguard.text.mapped_text import Range

__all__ = ["listed_letters"]

_SIGNS = r"\s,;/+&|.·•‐‑–—\"'“”‘’-"
"""What may stand between letters that belong together, for a class of a regular expression."""
_CAPITAL = re.compile(r"[^\W\d_a-z](?![^\W_])(?<![^\W_].)(?<!['’].)(?!['’]\w)", re.DOTALL)
_TIGHT = re.compile(r"[\s,;/+&|.·•‐‑–—-]{0,4}")
_PLACED = re.compile(r"[^.\n]{0,60}")


@dataclass(frozen=True, slots=True)
class _Patterns:
    cue: re.Pattern[str]
    listed: re.Pattern[str]
    small: re.Pattern[str]


@cache
def _compiled(languages: tuple[Language, ...]) -> _Patterns | None:
    cues = [language.cues for language in languages if language.cues is not None]
    if not cues:
        return None
    between = "|".join(c.letters_small_between for c in cues)
    return _Patterns(
        cue=re.compile(rf"\b(?:{'|'.join(c.letters for c in cues)})\b"),
        listed=re.compile(
            rf"(?:[{_SIGNS}]|\b(?:{'|'.join(c.letters_between for c in cues)})\b){{1,12}}"
        ),
        small=re.compile(
            rf"(?<![^\W_])(?<!['’])[^\W\d_A-Z](?:\s?(?:[,;/+|.·•–—-]|(?:{between})\b|&)"
            rf"\s?(?:(?:{between})\s)?[^\W\d_A-Z](?![^\W_])(?!['’]\w)){{2,40}}"
        ),
    )


def listed_letters(text: str, languages: tuple[Language, ...] = LANGUAGES) -> Iterator[Range]:
    """The half-open ranges of listed letters: one range for letters with only signs in between.

    `"the letters F, U and N"` gives the ranges of "F, U" and "N".
    """
    patterns = _compiled(languages)
    if patterns is None:
        return
    cue = patterns.cue.search(text)
    if cue:
        for small in islice(patterns.small.finditer(text, cue.end()), TUNING.most_letters):
            yield small.span()
    run: list[int] = []
    said = False
    for match in islice(_CAPITAL.finditer(text), TUNING.most_letters):
        if not match[0].isalpha() or match[0].islower():
            continue
        at = match.start()
        if run:
            gap = (run[-1] + 1, at)
            if patterns.listed.fullmatch(text, *gap) or (said and _PLACED.fullmatch(text, *gap)):
                run.append(at)
                continue
            yield from _ranges(text, run, said)
        run = [at]
        said = cue is not None and cue.start() <= at
    yield from _ranges(text, run, said)


def _ranges(text: str, run: list[int], said: bool) -> Iterator[Range]:
    if len(run) < (TUNING.fewest_letters_after_cue if said else TUNING.fewest_letters):
        return
    start = end = run[0]
    for at in run:
        if not _TIGHT.fullmatch(text, end, at):
            yield start, end
            start = at
        end = at + 1
    yield start, end
