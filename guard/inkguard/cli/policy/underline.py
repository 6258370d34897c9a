"""A prompt on a terminal, in lines, with what was found marked under it at its offsets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

__all__ = ["Mark", "marked"]

_WIDTH = 72


@dataclass(frozen=True, slots=True)
class Mark:
    """Half-open offsets in the prompt, how to colour them, and the sign to underline them with."""

    start: int
    end: int
    style: str
    sign: str = "^"


def marked(prompt: str, marks: Sequence[Mark], width: int = _WIDTH) -> Iterator[Text]:
    """The lines: each with its first offset, and one line of signs under it where there is a mark.

    Later marks go over earlier ones. Line ends and controls are shown as one sign each.
    """
    drawn = "".join(_visible(char) for char in prompt)
    for start in range(0, max(1, len(drawn)), width):
        piece = drawn[start : start + width]
        text, signs = Text(piece), [" "] * len(piece)
        styles = [""] * len(piece)
        for mark in marks:
            a, b = max(mark.start - start, 0), min(mark.end - start, len(piece))
            if a < b:
                text.stylize(mark.style, a, b)
                signs[a:b] = mark.sign * (b - a)
                styles[a:b] = [mark.style] * (b - a)
        yield Text.assemble((f"{start:>6}  ", "dim"), text)
        if any(sign != " " for sign in signs):
            under = Text(" " * 8)
            for char, sign, style in zip(piece, signs, styles, strict=True):
                under.append(sign * cell_len(char), style)
            under.rstrip()
            yield under


def _visible(char: str) -> str:
    if char == "\n":
        return "⏎"
    return char if char.isprintable() and cell_len(char) else "·"
