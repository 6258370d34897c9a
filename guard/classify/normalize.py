"""Folds text to what a reader of the picture would make of it, keeping the way back.

Every transform returns a `Folded`, whose index map leads from each folded character to the code
points of the original text. `fold` undoes what Unicode can do to a letter; `leet`, `squeeze` and
`join` undo what people do to a word. They are separate because each can also hide a word: a finder
tries `variants`, all of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from guard.classify.confusables import CONFUSABLES, INVISIBLE, LEET_I, LEET_L

__all__ = ["Folded", "collapse", "fold", "join", "leet", "squeeze", "variants"]


@dataclass(frozen=True, slots=True)
class Folded:
    """`text[i]` comes from the original's code points `offsets[i]` up to `ends[i]`.

    `ends` takes in the marks and invisible characters that were stripped after a character, so
    that cutting a match out of the original leaves none of them behind.
    """

    text: str = field(repr=False)
    offsets: tuple[int, ...]
    ends: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The half-open range of the original under `text[start:end]`, which is not empty."""
        return self.offsets[start], self.ends[end - 1]

    def keep(self, text: str, indices: list[int]) -> Folded:
        """A `Folded` of `text`, each character of which stands for `self.text[indices[i]]`."""
        return Folded(
            text, tuple(self.offsets[i] for i in indices), tuple(self.ends[i] for i in indices)
        )


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
    for i, char in enumerate(text):
        folded = _fold_char(char)
        if folded:
            out.append(folded)
            offsets += [i] * len(folded)
            ends += [i + 1] * len(folded)
        elif ends and ends[-1] == i:
            ends[-1] = i + 1
    return Folded("".join(out), tuple(offsets), tuple(ends))


@lru_cache(maxsize=8192)
def _fold_char(char: str) -> str:
    previous, current = "", char
    # Folding a fold can fold further (look-alikes are listed in small letters only).
    for _ in range(8):
        if current == previous:
            break
        previous = current
        current = "".join(map(_plain, unicodedata.normalize("NFKD", current).casefold()))
    return current


def _plain(char: str) -> str:
    if char in INVISIBLE:
        return ""
    if char.isspace():
        return " "
    if unicodedata.category(char) in ("Mn", "Me", "Cf", "Cc"):
        return ""
    return CONFUSABLES.get(char, char)


_LEET_I = str.maketrans(LEET_I)
_LEET_L = str.maketrans(LEET_L)
_HAS_LEET = re.compile("[" + re.escape("".join(LEET_I)) + "]")
# Punctuation that ends a word is punctuation; before a letter or digit it may stand for a letter.
_CLOSING = re.compile(r"[!|+](?![^\W_]|[@$€£!|+])|(?<![^\W_])!+(?!\S)")


def leet(folded: Folded, table: Mapping[int, str] = _LEET_I) -> Folded:
    """Digits and signs read as the letters they look like."""
    text = folded.text
    closing = {m.start() for m in _CLOSING.finditer(text)}
    read = text.translate(table)
    if closing:
        read = "".join(text[i] if i in closing else char for i, char in enumerate(read))
    return Folded(read, folded.offsets, folded.ends)


_RUN = re.compile(r"([^\W\d_])\1+")


def collapse(folded: Folded) -> Folded:
    """Each run of one letter becomes a single letter, which stands for the whole run."""
    text = folded.text
    if not _RUN.search(text):
        return folded
    firsts = [
        i for i in range(len(text)) if i == 0 or text[i] != text[i - 1] or not text[i].isalpha()
    ]
    lasts = [i - 1 for i in firsts[1:]] + [len(text) - 1]
    return Folded(
        "".join(text[i] for i in firsts),
        tuple(folded.offsets[i] for i in firsts),
        tuple(folded.ends[i] for i in lasts),
    )


_INNER = re.compile(r"(?<=[^\W_])[._\-*~·•‐‑‒–—]{1,3}(?=[^\W_])")


def squeeze(folded: Folded) -> Folded:
    """Dots, dashes and underscores inside a word dropped: "idi-ot" reads "idiot"."""
    return _drop(folded, [m.span() for m in _INNER.finditer(folded.text)])


_SEPARATOR = r"[\s._\-*~,/|·•‐‑‒–—]"
_LETTER = r"[^\W_]"
_NARROW = re.compile(rf"(?<!{_LETTER}){_LETTER}(?:{_SEPARATOR}{_LETTER}(?!{_LETTER})){{2,}}")
_WIDE = re.compile(rf"(?<!{_LETTER}){_LETTER}(?:{_SEPARATOR}{{1,3}}{_LETTER}(?!{_LETTER})){{2,}}")


def join(folded: Folded, *, wide: bool = False) -> Folded:
    """Single letters set apart become a word: "i d i o t" reads "idiot".

    One separator stands between letters; with `wide`, up to three.
    """
    gaps = []
    for run in (_WIDE if wide else _NARROW).finditer(folded.text):
        gaps += [(i, i + 1) for i in range(run.start(), run.end()) if not folded.text[i].isalnum()]
    return _drop(folded, gaps)


def _drop(folded: Folded, gaps: list[tuple[int, int]]) -> Folded:
    if not gaps:
        return folded
    kept: list[int] = []
    at = 0
    for start, end in gaps:
        kept += range(at, start)
        at = end
    kept += range(at, len(folded.text))
    return folded.keep("".join(folded.text[i] for i in kept), kept)


def variants(text: str) -> tuple[Folded, ...]:
    """The different readings of a text, the plain fold first. Runs of letters stay."""
    plain = fold(text)
    bases = [plain]
    if _HAS_LEET.search(plain.text):
        bases += [leet(plain), leet(plain, _LEET_L)]
    seen: dict[str, Folded] = {}
    for base in bases:
        squeezed = squeeze(base)
        for reading in (base, squeezed, join(base), join(base, wide=True)):
            seen.setdefault(reading.text, reading)
    return tuple(seen.values())
