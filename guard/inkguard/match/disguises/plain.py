"""What Unicode can do to a letter."""

from __future__ import annotations

from collections.abc import Iterator

from inkguard.match.disguises.base import Attempt, Disguise, DisguisedText

__all__ = ["Plain"]


class Plain(Disguise):
    """Case, accents and other marks, invisible characters, letters of other scripts and symbols that look like Latin ones.

    Example: ÍDÏOT, іdіоt (Cyrillic), ⒾⒹⒾⓄⓉ
    Leaves alone: letters that look like no Latin one.
    Known misses: look-alikes that neither Unicode's tables nor `inkguard.match.look_alikes` have.
    Place: before all others that read the whole text, since they read what is folded here.
    """

    label = "plain"

    def attempts(self, text: DisguisedText) -> Iterator[Attempt]:
        """The folded text, with allowed terms and compounds."""
        yield from text.whole(self.label, text.plain, respelled=True)
