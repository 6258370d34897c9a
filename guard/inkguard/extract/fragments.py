"""The pieces of the text to be drawn: each line of each span, without what is not drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from inkguard.extract.encoder_view import View
from inkguard.types import TextSpan

__all__ = ["Piece", "pieces"]

_BREAK = re.compile(r"-?\s*[\n\r\u2028\u2029]\s*|\s+[/|]+\s+")
_SIGN = r"[\s,;/+&|.·•‐‑–—\"'“”‘’*~-]"
_LETTER = re.compile(r"(?<![^\W_])[^\W_](?![^\W_])")
_SPELLED = re.compile(
    rf"[^\W_](?:{_SIGN}{{1,4}}(?:(?:and|then)\s{{1,2}}){{0,2}}[^\W_](?![^\W_])){{1,200}}[\s.,;]*"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Drawn text; `text[i]` stands for the prompt's characters `offsets[i]` up to `ends[i]`.

    `joints` are the places in `text` at which something that is not drawn was left out.
    """

    text: str = field(repr=False)
    offsets: tuple[int, ...] = field(repr=False)
    ends: tuple[int, ...] = field(repr=False)
    joints: tuple[int, ...] = ()

    def tail(self, most: int) -> Piece:
        """The last words, of about `most` characters."""
        if len(self.text) <= most:
            return self
        cut = self.text.find(" ", len(self.text) - most) + 1 or len(self.text) - most
        return Piece(self.text[cut:], self.offsets[cut:], self.ends[cut:])

    def head(self, most: int) -> Piece:
        """The first words, of about `most` characters."""
        if len(self.text) <= most:
            return self
        cut = self.text.rfind(" ", 0, most)
        cut = most if cut < 0 else cut
        return Piece(self.text[:cut], self.offsets[:cut], self.ends[:cut])


def pieces(seen: View, spans: Sequence[TextSpan]) -> list[Piece]:
    """The pieces of all spans, in the order of the prompt that `seen` is the view of."""
    found: list[Piece] = []
    for span in spans:
        found += _lines(seen, *seen.under(span.start, span.end))
    return found


def _lines(seen: View, start: int, end: int) -> Iterator[Piece]:
    at = start
    for gap in _BREAK.finditer(seen.text, start, end):
        yield from _piece(seen, at, gap.start())
        at = gap.end()
    yield from _piece(seen, at, end)


def _piece(seen: View, start: int, end: int) -> Iterator[Piece]:
    text = seen.text[start:end]
    if _SPELLED.fullmatch(text):
        kept = [m.start() + start for m in _LETTER.finditer(text)]
        yield Piece(
            "".join(seen.text[i] for i in kept),
            tuple(seen.starts[i] for i in kept),
            tuple(seen.ends[i] for i in kept),
            tuple(range(1, len(kept))),
        )
    elif text.strip():
        starts, ends = tuple(seen.starts[start:end]), tuple(seen.ends[start:end])
        joints: tuple[int, ...] = ()
        if not isinstance(seen.starts, range):
            joints = tuple(
                i
                for i in range(1, len(text))
                if starts[i - 1] + 1 != starts[i] or ends[i] != starts[i] + 1
            )
        yield Piece(text, starts, ends, joints)
