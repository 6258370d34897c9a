"""A prompt as an image model's text encoder means it, with the way back to the original offsets.

Escaped quotes are decoded, invisible characters and the weights and brackets of image tools are
left out. Everything else in this package works on a view and maps what it finds back.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from inkguard.extract.escapes import escapes
from inkguard.extract.prompt_weights import syntax

__all__ = ["View", "view"]


@dataclass(frozen=True, slots=True)
class View:
    """`text[i]` stands for the original's code points `starts[i]` up to `ends[i]`."""

    text: str = field(repr=False)
    starts: Sequence[int] = field(repr=False)
    ends: Sequence[int] = field(repr=False)

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The half-open range of the original under `text[start:end]`, which is not empty."""
        return self.starts[start], self.ends[end - 1]

    def under(self, start: int, end: int) -> tuple[int, int]:
        """The half-open range of `text` that stands for a range of the original."""
        return bisect_left(self.starts, start), bisect_left(self.starts, end)

    def drawn(self, start: int, end: int) -> str:
        """What a range of the original stands for."""
        return self.text[slice(*self.under(start, end))]


def view(prompt: str) -> View:
    """The view of a prompt; of a plain prompt, the prompt itself. Never raises."""
    edits = sorted((*escapes(prompt), *syntax(prompt)))
    if not edits:
        return View(prompt, range(len(prompt)), range(1, len(prompt) + 1))
    return _edited(prompt, edits)


def _edited(prompt: str, edits: Iterable[tuple[int, int, str]]) -> View:
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for start, end, new in (*edits, (len(prompt), len(prompt), "")):
        if start < at:  # an edit within an earlier one
            continue
        out += (prompt[at:start], new)
        starts += range(at, start)
        ends += range(at + 1, start + 1)
        if new:
            starts += [start] * len(new)
            ends += [end] * len(new)
        at = end
    return View("".join(out), starts, ends)
