"""Folds text to what a reader of the picture would make of it, keeping the way back.

Undone is what Unicode can do to a letter, one character at a time: `fold("ÍDÏОT").text == "idiot"`. What people
do to a word is undone in `inkguard.match.disguises`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from inkguard.match.look_alikes import latin
from inkguard.text import MappedText

__all__ = ["FoldedText", "fold"]

_RUN = re.compile(r"[ -~]+|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FoldedText:
    """A text and its fold, so that parts of a prompt are folded once.

    >>> folded = FoldedText.of("a sign that says IDIOT")
    >>> folded.within(17, 22).plain.text
    'idiot'
    """

    raw: MappedText
    plain: MappedText

    @classmethod
    def of(cls, text: str) -> FoldedText:
        """A text as it is written, folded."""
        return cls(MappedText.of(text), fold(text))

    def within(self, start: int, end: int) -> FoldedText:
        """The part that stands for a range of the prompt, with offsets of the whole prompt."""
        return FoldedText(self.raw.within(start, end), self.plain.within(start, end))


def fold(text: str) -> MappedText:
    """Compatibility forms, case, marks, invisible characters and look-alikes undone.

    A character takes in the marks and invisible characters that were stripped after it, so that cutting a match
    out of the original leaves none of them behind. Never raises, keeps word boundaries (any white space becomes a
    space), and is idempotent on its own text.
    """
    if text.isascii() and text.isprintable():
        return MappedText.of(text.lower())
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for match in _RUN.finditer(text):
        i, end = match.span()
        if " " <= match[0][0] <= "~":
            folded = match[0].lower()
            starts += range(i, end)
            ends += range(i + 1, end + 1)
        else:
            folded = latin(match[0])
            starts += [i] * len(folded)
            ends += [end] * len(folded)
        out.append(folded)
        if not folded and ends and ends[-1] == i:
            ends[-1] = end
    return MappedText("".join(out), starts, ends)
