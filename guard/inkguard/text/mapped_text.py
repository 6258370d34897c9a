"""Text whose every character knows which code points of the prompt it stands for.

Everything that reads a prompt otherwise than it is written (escapes decoded, look-alikes folded, letters joined
or reversed) makes a `MappedText`, and whatever is found in it is reported at its place in the prompt.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

__all__ = ["MappedText", "Range"]

Range = tuple[int, int]
"""Half-open offsets in code points."""


@dataclass(frozen=True, slots=True)
class MappedText:
    """`text[i]` stands for the prompt's code points `starts[i]` up to `ends[i]`.

    Starts rise, unless the text is reversed or its pieces were joined in another order. A character that stands
    for nothing in the prompt (the glue of `join`) has an empty range. `seams` are the places in `text` at which
    pieces meet that do not touch in the prompt.

        >>> seen = MappedText.of("say &quot;hi&quot;").replace([(4, 10, '"'), (12, 18, '"')])
        >>> seen.text
        'say "hi"'
        >>> seen.to_prompt(4, 8)
        (4, 18)
    """

    text: str = field(repr=False)
    starts: Sequence[int] = field(repr=False)
    ends: Sequence[int] = field(repr=False)
    seams: tuple[int, ...] = ()

    @classmethod
    def of(cls, prompt: str) -> Self:
        """The prompt as it stands: each character stands for itself."""
        return cls(prompt, range(len(prompt)), range(1, len(prompt) + 1))

    def __len__(self) -> int:
        return len(self.text)

    def to_prompt(self, start: int, end: int) -> Range:
        """The range of the prompt under `text[start:end]`, which is not empty, also where that is reversed."""
        first, last = self.starts[start], self.starts[end - 1]
        return (first, self.ends[end - 1]) if first <= last else (last, self.ends[start])

    def from_prompt(self, start: int, end: int) -> Range:
        """The range of `text` that begins within a range of the prompt; needs starts that rise."""
        return bisect_left(self.starts, start), bisect_left(self.starts, end)

    def text_of(self, start: int, end: int) -> str:
        """What a range of the prompt says here; needs starts that rise."""
        return self.text[slice(*self.from_prompt(start, end))]

    def slice(self, start: int, end: int) -> MappedText:
        """`text[start:end]`, without its seams."""
        return MappedText(self.text[start:end], self.starts[start:end], self.ends[start:end])

    def with_seams(self, seams: Iterable[int]) -> MappedText:
        """The same text, with other seams."""
        return MappedText(self.text, self.starts, self.ends, tuple(seams))

    def within(self, start: int, end: int) -> MappedText:
        """What stands for a range of the prompt, and for nothing beyond it; needs starts that rise."""
        if not start and (not self.ends or end >= self.ends[-1]):
            return self
        part = self.slice(*self.from_prompt(start, end))
        if part.ends and part.ends[-1] > end:  # what the last letters stand for goes on outside
            part = MappedText(part.text, part.starts, tuple(min(e, end) for e in part.ends))
        return part

    def with_letters(self, text: str) -> MappedText:
        """Another letter in the place of each one: `text` is as long as this."""
        return MappedText(text, self.starts, self.ends, self.seams)

    def keep(self, places: Sequence[int]) -> MappedText:
        """The characters at `places` only; a seam wherever the prompt has something else in between."""
        seams = (n for n, (a, b) in enumerate(pairwise(places), 1) if b != a + 1)
        return MappedText(
            "".join(map(self.text.__getitem__, places)),
            tuple(map(self.starts.__getitem__, places)),
            tuple(map(self.ends.__getitem__, places)),
            tuple(seams),
        )

    def drop(self, ranges: Iterable[Range]) -> MappedText:
        """The text without some ranges of it, which are in order and apart."""
        return self.replace((start, end, "") for start, end in ranges)

    def replace(self, edits: Iterable[tuple[int, int, str]]) -> MappedText:
        """`new` for each `text[start:end]`; an edit that begins within an earlier one is left out.

        Each character of `new` stands for all that `text[start:end]` stands for. Seams are left out.
        """
        out: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        at = 0
        for start, end, new in edits:
            if start < at:
                continue
            out += (self.text[at:start], new)
            starts += self.starts[at:start]
            ends += self.ends[at:start]
            if new:
                first, last = self.to_prompt(start, end)
                starts += [first] * len(new)
                ends += [last] * len(new)
            at = end
        if not at:
            return self
        out.append(self.text[at:])
        starts += self.starts[at:]
        ends += self.ends[at:]
        return MappedText("".join(out), starts, ends)

    def reverse(self) -> MappedText:
        """The text from its end to its beginning."""
        seams = tuple(len(self.text) - seam for seam in reversed(self.seams))
        return MappedText(self.text[::-1], self.starts[::-1], self.ends[::-1], seams)

    @staticmethod
    def join(parts: Iterable[MappedText], glue: str = "") -> MappedText:
        """The parts, of which there is one at least, in their order, with `glue` between them and a seam where each begins.

        Glue stands for nothing: its range is empty, at the end of the part before it. Of the seams within parts
        nothing is kept.
        """
        first, *others = parts
        if not others:
            return first.with_seams(())
        texts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        seams: list[int] = []
        for part in (first, *others):
            if texts:
                texts.append(glue)
                place = ends[-1] if ends else 0
                starts += [place] * len(glue)
                ends += [place] * len(glue)
                seams.append(len(starts))
            texts.append(part.text)
            starts += part.starts
            ends += part.ends
        return MappedText("".join(texts), tuple(starts), tuple(ends), tuple(seams))

    def through(self, outer: MappedText) -> MappedText:
        """The same text, but mapped to what `outer` maps to; so far it maps to `outer.text`."""
        ranges = [
            outer.to_prompt(start, end) if start < end else (_before(outer, start),) * 2
            for start, end in zip(self.starts, self.ends, strict=True)
        ]
        return MappedText(
            self.text, tuple(r[0] for r in ranges), tuple(r[1] for r in ranges), self.seams
        )


def _before(outer: MappedText, place: int) -> int:
    """Where in the prompt an empty range at `place` of a text lies: at the end of what is before it."""
    return outer.ends[place - 1] if place else 0
