"""Which Latin letter a character is drawn like, from Unicode's own data.

Compatibility mappings come from `unicodedata`, look-alikes from the consortium's confusables table
(UTS 39, in the package confusable_homoglyphs), letters in circles, squares and small capitals from
their names. Only what none of these says is listed here.
"""

from __future__ import annotations

import json
import re
import string
import unicodedata
from functools import cache
from importlib.resources import files

__all__ = ["FLIPPED", "INVISIBLE", "TURNED", "latin"]

INVISIBLE = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Drawn as nothing, though their category says letter or symbol."""

_OWN = {
    pair[0]: pair[1:]
    for pair in (  # noqa: SIM905 (a table)
        "б6 вb мm пn лn фo ъb гr дd з3 иn йn кk нh тt ьb ѣb цu чy шw щw ыbi эe ю10 яr ҝk ңh ҡk ғf ԁd ԍg "
        "ßss εe χx βb ηn κk τt ωw ςc λa ϲc ϳj μu սu ոn հh ցg քp օo "
        "€€ ⭕o ❌x ❎x ✖x ❗i ❕i ✝t ➕t ∂d ¢c ¥y æae œoe þp ǫq ŋn ſs ʃs ɛe ƨs ɔc ɟf"
    ).split()
}
# In the order of ascii_lowercase; letters that look the same upside down stand for themselves.
FLIPPED = dict(zip("ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz", string.ascii_lowercase, strict=True))
"""What the characters of text that was turned upside down stand for."""
TURNED = re.compile("[ɐɔǝɟƃɥᴉɾʞɯɹʇʌʍʎ]")
"""Characters that hardly stand anywhere but in text that was turned upside down."""

_NAMED = re.compile(
    r"LATIN (?:(?:SMALL|CAPITAL) )?LETTER (?:SMALL CAPITAL |TURNED |REVERSED |DOTLESS |SCRIPT |OPEN "
    r"|INSULAR |BARRED |LONG |CLOSED )*([A-Z])(?: WITH .*| ROTUNDA)?$|INDICATOR SYMBOL LETTER ([A-Z])$"
)


@cache
def _confusables() -> dict[str, list[str]]:
    """Each character's look-alikes, nearest first."""
    text = (files("confusable_homoglyphs") / "confusables.json").read_text(encoding="utf-8")
    return {char: [other["c"] for other in others] for char, others in json.loads(text).items()}


@cache
def latin(char: str) -> str:
    """ASCII letters, small, that a character looks like; "" for what is invisible.

    White space becomes a space. A character that looks like none is itself, folded to small.
    Never raises.
    """
    if char.isascii():
        return " " if char.isspace() else char.lower() if char.isprintable() else ""
    if _drawn_as_nothing(char):
        return ""
    if char.isspace():
        return " "
    return _look(char, 3) or char.casefold()


def _look(char: str, depth: int) -> str:
    """Follow mappings, a few steps deep, to something ASCII; "" where there is no way."""
    if char.isascii():
        return char.lower() if char.isprintable() else ""
    found = _OWN.get(char) or _by_name(char)
    if found:
        return found
    parts = [c for c in unicodedata.normalize("NFKD", char) if not _drawn_as_nothing(c)]
    if parts and parts != [char]:
        return _all(parts, depth)
    if depth:
        for other in _confusables().get(char, ()):
            found = _all([c for c in other if not _drawn_as_nothing(c)], depth - 1)
            if found == "l" and (small := char.casefold()) != char:
                found = _look(small, depth - 1) or found  # the table takes capital i for a small l
            if found and found[0].isalnum():
                return found
    small = char.casefold()
    return _all(list(small), depth) if small != char else ""


def _all(chars: list[str], depth: int) -> str:
    found = [_look(c, depth) or c.casefold() for c in chars]
    return "".join(found) if any(f.isascii() for f in found) else ""


def _by_name(char: str) -> str:
    match = _NAMED.search(unicodedata.name(char, ""))
    return (match[1] or match[2]).lower() if match else ""


def _drawn_as_nothing(char: str) -> bool:
    return char in INVISIBLE or unicodedata.category(char) in ("Mn", "Me", "Cf", "Cc", "Cs")
