"""Letters turned by 180°."""

from __future__ import annotations

from collections.abc import Iterator

from inkguard.match.disguises.base import Attempt, Disguise, DisguisedText
from inkguard.match.look_alikes import FLIPPED, TURNED, latin

__all__ = ["UpsideDown"]


class UpsideDown(Disguise):
    """Text that was turned upside down: letters turned by 180°, from the end to the beginning.

    Example: ʇoᴉpᴉ
    Leaves alone: texts without one of the letters that hardly stand anywhere else, such as ɐ and ʇ.
    Known misses: turned words of common letters only ("uou" for "non"); turned digits.
    Place: before the disguises that join letters, since turned ones may stand apart.
    """

    label = "upside down"

    def attempts(self, text: DisguisedText) -> Iterator[Attempt]:
        """`"ʇoᴉpᴉ"` reads "idiot"."""
        raw = text.raw.text
        if TURNED.search(raw):
            kept = [i for i in range(len(raw) - 1, -1, -1) if latin(raw[i])]
            letters = "".join(FLIPPED.get(raw[i]) or latin(raw[i])[0] for i in kept)
            turned = text.raw.keep(kept).with_letters(letters)
            yield from text.whole(self.label, turned, respelled=True)
