"""Digits and signs in place of letters, each taken for one letter throughout."""

from __future__ import annotations

import re
from collections.abc import Iterator

from inkguard.match.disguises.base import Attempt, Disguise, DisguisedText
from inkguard.match.tuning import TUNING

__all__ = ["LEET", "Leet"]

LEET: dict[str, str] = {
    **{"0": "o", "1": "il", "2": "z", "3": "e", "4": "a", "5": "s", "6": "gb", "7": "t"},
    **{"8": "b", "9": "g", "@": "a", "$": "s", "!": "il", "|": "il", "+": "t", "€": "ec", "£": "l"},
    **{"(": "c", "<": "c", "[": "c", "{": "c", "#": "h", "^": "a", "%": "x"},
}
"""The letters that a digit or sign may stand for, the likelier one first."""
_PLAIN_LEET = "01345789@$!|+€£"
_HAS_LEET = re.compile("[" + re.escape(_PLAIN_LEET) + "]")
_TABLES = tuple(str.maketrans({c: LEET[c][n] for c in _PLAIN_LEET}) for n in (0, -1))
# Punctuation that ends a word is punctuation; before a letter or digit it may stand for a letter.
_CLOSING = re.compile(r"[!|+](?![^\W_]|[@$€£!|+])|(?<![^\W_])!+(?!\S)")


class Leet(Disguise):
    """Digits and signs that stand for letters, each for the same one throughout the text.

    Example: 1D10T, !d!0t
    Leaves alone: signs that end a word; short words in which more than one digit would have to be a letter,
    which are roads and number plates ("A11").
    Known misses: words in which one sign stands for two letters, or two signs for one; `lattice` sees those.
    Place: before the disguises that join letters ("1.D.1.0.T").
    """

    label = "leet"

    def attempts(self, text: DisguisedText) -> Iterator[Attempt]:
        """`"1d10t"` reads "idiot", and once more with an l for each 1."""
        plain = text.plain.text
        if not text.letters_only and _HAS_LEET.search(plain):
            closing = {match.start() for match in _CLOSING.finditer(plain)}
            for table in _TABLES:
                letters = plain.translate(table)
                if closing:
                    letters = "".join(
                        plain[i] if i in closing else c for i, c in enumerate(letters)
                    )
                read = text.plain.with_letters(letters)
                yield from text.whole(self.label, read, _is_no_code, respelled=True)


def _is_no_code(written: str) -> bool:
    """Whether a word is no road or number plate: those are short, with more digits than disguises need."""
    return len(written) > TUNING.longest_code or sum(map(str.isdigit, written)) <= 1
