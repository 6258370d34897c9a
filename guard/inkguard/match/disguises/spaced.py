"""Letters set apart, by spaces or by punctuation."""

from __future__ import annotations

import re
from collections.abc import Iterator

from inkguard.match.disguises.base import Attempt, Disguise, DisguisedText
from inkguard.text import MappedText

__all__ = ["JOINED", "Spaced", "drop_inner_punctuation", "join_spaced_letters", "joined_label"]

JOINED = "joined"
_SIGN = r"[._\-*~·•‐‑‒–—]"
# The look-behind comes after the first sign: so the search skips what is none.
_INNER = re.compile(rf"{_SIGN}(?<=[^\W_].){_SIGN}{{0,2}}(?=[^\W_])")
_SEPARATOR = r"[\s._\-*~,/|·•‐‑‒–—]"
_LETTER = r"[^\W_]"
_SINGLE = re.compile(rf"(?<!{_LETTER}){_LETTER}{_SEPARATOR}+{_LETTER}(?!{_LETTER})")
_NARROW = re.compile(rf"(?<!{_LETTER}){_LETTER}(?:{_SEPARATOR}{_LETTER}(?!{_LETTER})){{2,}}")
_WIDE = re.compile(rf"(?<!{_LETTER}){_LETTER}(?:{_SEPARATOR}{{1,6}}{_LETTER}(?!{_LETTER})){{2,}}")


class Spaced(Disguise):
    """Single letters set apart by spaces or punctuation; stops and dashes inside of a word.

    Example: i d i o t, I.D.I.O.T, idi-ot
    Leaves alone: fewer than three letters in a row; a gap inside of a word (see `split`).
    Known misses: letters more than six separators apart; two letters at a time ("id io t").
    Place: after the disguises that give other letters, each of whose readings it joins too.
    """

    label = JOINED

    def attempts(self, text: DisguisedText) -> Iterator[Attempt]:
        """`"i d i o t"`, `"i-d-i-o-t"` and `"i . d . i . o . t"` read "idiot"."""
        for base in text.respelled:
            label, read = joined_label(base), base.text
            if not text.letters_only:
                yield from text.whole(label, drop_inner_punctuation(read), base.plausible)
            # Most texts have no two single letters side by side, which their words say fast.
            if (read is not text.plain or text.has_single_letters) and _SINGLE.search(read.text):
                near = drop_inner_punctuation(join_spaced_letters(read))
                yield from text.whole(label, near, base.plausible)
                far = join_spaced_letters(read, wide=True)
                yield from text.whole(label, far, base.plausible)


def joined_label(base: Attempt) -> str:
    """What a reading is called in which the letters of another one are joined."""
    return JOINED if base.label == "plain" else base.label


def drop_inner_punctuation(text: MappedText) -> MappedText:
    """Dots, dashes and underscores inside a word dropped: "idi-ot" reads "idiot"."""
    return text.drop(match.span() for match in _INNER.finditer(text.text))


def join_spaced_letters(text: MappedText, *, wide: bool = False) -> MappedText:
    """Single letters set apart become a word: "i d i o t" reads "idiot".

    One separator stands between letters; with `wide`, up to six: marks stripped off leave theirs.
    """
    read = text.text
    return text.drop(
        (i, i + 1)
        for run in (_WIDE if wide else _NARROW).finditer(read)
        for i in range(run.start(), run.end())
        if not read[i].isalnum()
    )
