"""Other ways in which the text to be drawn may be read: pieces joined, and letters reversed.

A reading is no text of the prompt: its index map leads from each character back there.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise

from inkguard.extract.encoder_view import View, view
from inkguard.extract.fragments import Piece, pieces
from inkguard.languages.english import COMMON, REVERSIBLE
from inkguard.types import TextSpan

__all__ = ["Reading", "readings"]

_MOST_WINDOWS = 500  # more pieces than any picture holds
_LONGEST_REVERSED = 400
_REACH = 40
_MOST_JOINED = 3
_MOST_LETTERS = 24
_SHORTEST_REVERSED = 4
_FEWEST_LETTERS = 3
_MIRRORED = re.compile(
    r"\b(?:mirrored|mirror[-\s](?:writing|image|script|text|letters)|revers(?:ed|e)|backwards?|flipped"
    r"|back\sto\sfront|right\sto\sleft|upside[-\s]down|palindrome)\b",
    re.IGNORECASE,
)
_SWAPPED = re.compile(
    r"\b(?:left|right|top|bottom|above|below|under|over|before|after|first|second|last|in\sfront"
    r"|behind|upper|lower|starts?|ends?|beginning|preceded)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """`text[i]` stands for the prompt's characters `offsets[i]` up to `ends[i]`. `kind` is "joined" or "reversed".

    `joints` are the places in `text` where pieces meet; `mirrored` says that the prompt asks for
    text in reverse.
    """

    text: str = field(repr=False)
    offsets: tuple[int, ...] = field(repr=False)
    ends: tuple[int, ...] = field(repr=False)
    kind: str = "joined"
    joints: tuple[int, ...] = ()
    mirrored: bool = False

    def parts(self, start: int, end: int, spans: Sequence[TextSpan]) -> list[tuple[int, int]]:
        """The half-open ranges of the prompt under `text[start:end]`, at most one for each span.

        Empty where this reading says nothing that the prompt as it stands does not, or where plain
        words only happen to read so.
        """
        if not self._tells(start, end):
            return []
        reach: dict[int, tuple[int, int]] = {}
        for place, after in sorted(zip(self.offsets[start:end], self.ends[start:end], strict=True)):
            at = bisect_right(spans, place, key=_start) - 1
            if at >= 0 and after <= spans[at].end and place < after:
                reach[at] = reach.get(at, (place, 0))[0], after
        return list(reach.values())

    def _tells(self, start: int, end: int) -> bool:
        cuts = [cut for cut in self.joints if start < cut < end]
        fragments = [self.text[a:b].casefold().strip() for a, b in pairwise((start, *cuts, end))]
        if self.kind == "reversed":
            letters = [char for char in self.text[start:end].casefold() if char.isalnum()]
            known = len(set(letters)) < _FEWEST_LETTERS or all(map(_reverses, fragments))
            return self.mirrored or (len(letters) >= _SHORTEST_REVERSED and not known)
        glued = not any(map(str.isspace, self.text[start:end]))
        plain = COMMON.issuperset(fragments) and any(len(f) > 1 for f in fragments)
        return bool(cuts) and not (glued and plain)


def _reverses(fragment: str) -> bool:
    """Whether a word is so plain the other way round that this reading of it is chance."""
    word = fragment[::-1]
    return word in REVERSIBLE or word in COMMON or word.endswith("ing")


def _start(span: TextSpan) -> int:
    return span.start


def readings(
    prompt: str, spans: Sequence[TextSpan], seen: View | None = None
) -> tuple[Reading, ...]:
    """The additional readings of a prompt's spans. Never raises; linear in the prompt.

    `seen` is the prompt's view, where it is made already.
    """
    found = pieces(view(prompt) if seen is None else seen, spans)
    if not found:
        return ()
    mirrored = _MIRRORED.search(prompt) is not None
    made = {(r.text, r.offsets): r for r in _all(prompt, found, mirrored)}
    return tuple(made.values())


def _all(prompt: str, found: Sequence[Piece], mirrored: bool) -> Iterator[Reading]:
    for piece in found:
        if piece.joints:
            yield Reading(piece.text, piece.offsets, piece.ends, joints=piece.joints)
    if len(found) > 1:
        yield _joined(found, " ")
    short = [p for p in found if mirrored or len(p.text) <= _LONGEST_REVERSED]
    if short:
        yield _reversed(_joined(short, " "), mirrored)
    yield from islice(_windows(prompt, found, mirrored), _MOST_WINDOWS)


def _windows(prompt: str, found: Sequence[Piece], mirrored: bool) -> Iterator[Reading]:
    """Neighbouring pieces without a gap, both ways round, and their reversal."""
    swaps = len(found) > 1 and _SWAPPED.search(prompt) is not None
    for i, first in enumerate(found):
        row = [first.tail(_REACH)]
        length = 0
        for count, piece in enumerate(islice(found, i + 1, None), 1):
            small = len(first.text) <= 2 and len(piece.text) <= 2
            if (count > _MOST_JOINED and not small) or length > _MOST_LETTERS:
                break
            glued = _joined([*row, piece.head(_REACH)], "")
            yield glued
            yield _reversed(glued, mirrored)
            if swaps:
                yield _joined([piece.tail(_REACH), *row[1:][::-1], first.head(_REACH)], "")
            if any(map(str.isspace, piece.text)):
                break  # a word goes no further than through a whole piece
            row.append(piece)
            length += len(piece.text)


def _joined(row: Sequence[Piece], glue: str) -> Reading:
    texts: list[str] = []
    offsets: list[int] = []
    ends: list[int] = []
    joints: list[int] = []
    for piece in row:
        if texts:
            texts.append(glue)
            offsets += [ends[-1]] * len(glue)
            ends += [ends[-1]] * len(glue)
            joints.append(len(offsets))
        texts.append(piece.text)
        offsets += piece.offsets
        ends += piece.ends
    return Reading("".join(texts), tuple(offsets), tuple(ends), joints=tuple(joints))


def _reversed(read: Piece | Reading, mirrored: bool) -> Reading:
    return Reading(
        read.text[::-1],
        read.offsets[::-1],
        read.ends[::-1],
        kind="reversed",
        joints=tuple(len(read.text) - joint for joint in reversed(read.joints)),
        mirrored=mirrored,
    )
