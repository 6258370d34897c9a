"""How a word sounds, by rule: two spellings of one pronunciation get one key.

The rules follow what people do to a word to slip it past a filter ("ph" for f, "k" for ck, "z" for s,
"x" for cks), not a general phonetic algorithm: Soundex and Metaphone drop vowels, and with them the
difference to most harmless words.
"""

from __future__ import annotations

import re

__all__ = ["sketch", "sound"]

_RULES = tuple(
    (re.compile(pattern), to)
    for pattern, to in (
        (r"ee|ea|ie|ei|iy|ey$", "i"),
        (r"oo|ou|uh|uw", "u"),
        (r"(.)\1+", r"\1"),
        (r"ph|pf", "f"),
        (r"sch(?=[a-z])", "sh"),
        (r"tch", "ch"),
        (r"ck|q+u?|kh|c(?![eiyh])", "k"),
        (r"c(?=[eiy])", "s"),
        (r"x", "ks"),
        (r"z", "s"),
        (r"(?<=[a-z])y(?![aeiou])", "i"),
        (r"^kn|^gn", "n"),
        (r"dg", "j"),
        (r"(?:er|ah|or|re|eh)$", "a"),
        (r"(.)\1+", r"\1"),
    )
)


def sound(word: str) -> str:
    """The key of a folded word of Latin letters."""
    for pattern, to in _RULES:
        word = pattern.sub(to, word)
    return word


_VOWELS = re.compile(r"[aeiou]+[hw]?|(?<=[a-z])[hw]$")
_DROPPED_R = re.compile(r"(?<=V)r(?![aeiouV])")
_FEWEST_CONSONANTS = 4


def sketch(word: str) -> str:
    """A coarser key, in which all vowels are one; "" where too few consonants are left to say much."""
    key = _DROPPED_R.sub("", _VOWELS.sub("V", sound(word)))
    return key if len(key) - key.count("V") >= _FEWEST_CONSONANTS else ""
