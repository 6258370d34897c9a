"""Folds text to what a reader of the picture would make of it, keeping the way back.

Every transform returns a `Folded`, whose index map leads from each folded character to the code
points of the original text. `fold` undoes what Unicode can do to a letter; `leet`, `squeeze` and
`join` undo what people do to a word. They are separate because each can also hide a word: a finder
tries `variants`, all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from inkguard.match.look_alikes import FLIPPED, TURNED, latin

__all__ = [
    "LEET",
    "Folded",
    "fold",
    "join",
    "leet",
    "squeeze",
    "unboxed",
    "upside_down",
    "variants",
]

LEET: dict[str, str] = {
    **{"0": "o", "1": "il", "2": "z", "3": "e", "4": "a", "5": "s", "6": "gb", "7": "t"},
    **{"8": "b", "9": "g", "@": "a", "$": "s", "!": "il", "|": "il", "+": "t", "€": "ec", "£": "l"},
    **{"(": "c", "<": "c", "[": "c", "{": "c", "#": "h", "^": "a", "%": "x"},
}
"""The letters that a digit or sign may stand for, the likelier one first."""
_PLAIN_LEET = "013457 89@$!|+€£".replace(" ", "")
_LEET_I = str.maketrans({c: LEET[c][0] for c in _PLAIN_LEET})
_LEET_L = str.maketrans({c: LEET[c][-1] for c in _PLAIN_LEET})


@dataclass(frozen=True, slots=True)
class Folded:
    """`text[i]` comes from the original's code points `offsets[i]` up to `ends[i]`.

    `ends` takes in the marks and invisible characters that were stripped after a character, so
    that cutting a match out of the original leaves none of them behind. Offsets rise, except where
    `how` is "upside down": there they fall.
    """

    text: str = field(repr=False)
    offsets: tuple[int, ...]
    ends: tuple[int, ...]
    how: str = "plain"

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The half-open range of the original under `text[start:end]`, which is not empty."""
        first, last = self.offsets[start], self.offsets[end - 1]
        return (first, self.ends[end - 1]) if first <= last else (last, self.ends[start])


_FOLDED = re.compile(r"[ -~]+|.", re.DOTALL)


def fold(text: str) -> Folded:
    """Compatibility forms, case, marks, invisible characters and look-alikes undone.

    Never raises, keeps word boundaries (any white space becomes a space), and is idempotent on its
    own text.
    """
    if text.isascii() and text.isprintable():
        return Folded(text.lower(), tuple(range(len(text))), tuple(range(1, len(text) + 1)))
    out: list[str] = []
    offsets: list[int] = []
    ends: list[int] = []
    for match in _FOLDED.finditer(text):
        i, end = match.span()
        if " " <= match[0][0] <= "~":
            folded = match[0].lower()
            offsets += range(i, end)
            ends += range(i + 1, end + 1)
        else:
            folded = latin(match[0])
            offsets += [i] * len(folded)
            ends += [end] * len(folded)
        out.append(folded)
        if not folded and ends and ends[-1] == i:
            ends[-1] = end
    return Folded("".join(out), tuple(offsets), tuple(ends))


_HAS_LEET = re.compile("[" + re.escape(_PLAIN_LEET) + "]")
# Punctuation that ends a word is punctuation; before a letter or digit it may stand for a letter.
_CLOSING = re.compile(r"[!|+](?![^\W_]|[@$€£!|+])|(?<![^\W_])!+(?!\S)")


def leet(folded: Folded, table: Mapping[int, str] = _LEET_I) -> Folded:
    """Digits and signs read as the letters they look like."""
    text = folded.text
    closing = {m.start() for m in _CLOSING.finditer(text)}
    read = text.translate(table)
    if closing:
        read = "".join(text[i] if i in closing else char for i, char in enumerate(read))
    return replace(folded, text=read, how="leet")


def upside_down(text: str) -> Folded:
    """Text that was turned upside down, from its end to its beginning."""
    kept = [i for i in range(len(text) - 1, -1, -1) if latin(text[i])]
    read = [FLIPPED.get(text[i]) or latin(text[i])[0] for i in kept]
    return Folded("".join(read), tuple(kept), tuple(i + 1 for i in kept), "upside down")


_INNER = re.compile(r"(?<=[^\W_])[._\-*~·•‐‑‒–—]{1,3}(?=[^\W_])")


def squeeze(folded: Folded) -> Folded:
    """Dots, dashes and underscores inside a word dropped: "idi-ot" reads "idiot"."""
    return _drop(folded, [m.span() for m in _INNER.finditer(folded.text)])


_SEPARATOR = r"[\s._\-*~,/|·•‐‑‒–—]"
_LETTER = r"[^\W_]"
_SINGLE = re.compile(rf"(?<!{_LETTER}){_LETTER}{_SEPARATOR}+{_LETTER}(?!{_LETTER})")
_NARROW = re.compile(rf"(?<!{_LETTER}){_LETTER}(?:{_SEPARATOR}{_LETTER}(?!{_LETTER})){{2,}}")
_WIDE = re.compile(rf"(?<!{_LETTER}){_LETTER}(?:{_SEPARATOR}{{1,6}}{_LETTER}(?!{_LETTER})){{2,}}")


def join(folded: Folded, *, wide: bool = False) -> Folded:
    """Single letters set apart become a word: "i d i o t" reads "idiot".

    One separator stands between letters; with `wide`, up to six: marks stripped off leave theirs.
    """
    gaps = []
    for run in (_WIDE if wide else _NARROW).finditer(folded.text):
        gaps += [(i, i + 1) for i in range(run.start(), run.end()) if not folded.text[i].isalnum()]
    return _drop(folded, gaps)


_BOX = r"[(\[{<][^\W_][)\]}>]"
_BOXED = re.compile(rf"{_BOX}(?:[\s._\-]?{_BOX}){{2,}}")


def unboxed(folded: Folded) -> Folded:
    """Letters in brackets of their own become a word: "(i)(d)(i)(o)(t)" reads "idiot"."""
    gaps = []
    for run in _BOXED.finditer(folded.text):
        inner = range(run.start() + 1, run.end() - 1)  # the outermost part it from its neighbours
        gaps += [(i, i + 1) for i in inner if not folded.text[i].isalnum()]
    return _drop(folded, gaps)


def _drop(folded: Folded, gaps: list[tuple[int, int]]) -> Folded:
    if not gaps:
        return folded
    text: list[str] = []
    offsets: list[int] = []
    ends: list[int] = []
    at = 0
    for start, end in (*gaps, (len(folded.text), 0)):
        text.append(folded.text[at:start])
        offsets += folded.offsets[at:start]
        ends += folded.ends[at:start]
        at = end
    how = "joined" if folded.how == "plain" else folded.how
    return Folded("".join(text), tuple(offsets), tuple(ends), how)


def variants(text: str) -> tuple[Folded, ...]:
    """The different readings of a text, the plain fold first. Runs of letters stay."""
    plain = fold(text)
    bases = [plain]
    if TURNED.search(text):
        bases.append(upside_down(text))
    if _HAS_LEET.search(plain.text):
        bases += [leet(plain), leet(plain, _LEET_L)]
    seen: dict[str, Folded] = {}
    for base in bases:
        readings = [base, squeeze(base)]
        if _SINGLE.search(base.text):
            readings += [squeeze(join(base)), join(base, wide=True)]
        if _BOXED.search(base.text):
            readings.append(unboxed(base))
        for reading in readings:
            seen.setdefault(reading.text, reading)
    return tuple(seen.values())
