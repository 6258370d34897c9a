"""Letters in brackets of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from inkguard.match.disguises.base import Attempt, Disguise, DisguisedText
from inkguard.match.disguises.spaced import JOINED, joined_label
from inkguard.text import MappedText

__all__ = ["Boxed", "unwrap_bracketed_letters"]

_BOX = r"[(\[{<][^\W_][)\]}>]"
_BOXED = re.compile(rf"{_BOX}(?:[\s._\-]?{_BOX}){{2,}}")


class Boxed(Disguise):
    """Letters in brackets of their own.

    Example: (i)(d)(i)(o)(t)
    Leaves alone: fewer than three such letters in a row, as in a list of points.
    Known misses: brackets around two letters; brackets more than one separator apart.
    Place: after the disguises that give other letters, as `spaced`.
    """

    label = JOINED

    def attempts(self, text: DisguisedText) -> Iterator[Attempt]:
        """`"(i)(d)(i)(o)(t)"` reads "(idiot)"."""
        for base in () if text.letters_only else text.respelled:
            if _BOXED.search(base.text.text):
                unboxed = unwrap_bracketed_letters(base.text)
                yield from text.whole(joined_label(base), unboxed, base.plausible)


def unwrap_bracketed_letters(text: MappedText) -> MappedText:
    """Brackets between letters dropped; the outermost ones part the word from its neighbours."""
    read = text.text
    return text.drop(
        (i, i + 1)
        for run in _BOXED.finditer(read)
        for i in range(run.start() + 1, run.end() - 1)
        if not read[i].isalnum()
    )
