"""English inflections by simple suffix rules: generous, as a form nobody writes costs nothing."""

from __future__ import annotations

__all__ = ["inflections"]

_VOWELS = frozenset("aeiou")
_SIBILANTS = ("s", "x", "z", "ch", "sh")


def inflections(word: str) -> frozenset[str]:
    """The word itself, its plural, and its forms in -s, -ed, -ing, -in, -er, -ers and -y."""
    forms = {word, word + "s"}
    if word.endswith(_SIBILANTS) or word.endswith("o"):
        forms.add(word + "es")
    if len(word) > 2 and word.endswith("y") and word[-2] not in _VOWELS:
        stem = word[:-1]
        return frozenset(forms | {stem + "ies", stem + "ied", stem + "ier", stem + "iest"})
    for stem in _stems(word):
        forms |= {stem + end for end in ("ed", "ing", "in", "ings", "er", "ers", "y")}
    return frozenset(forms)


def _stems(word: str) -> tuple[str, ...]:
    if word.endswith("e"):
        return (word[:-1],)
    ends_cvc = (
        len(word) > 2
        and word[-1] not in _VOWELS
        and word[-1] not in "wxy"
        and word[-2] in _VOWELS
        and word[-3] not in _VOWELS
    )
    return (word + word[-1], word) if ends_cvc else (word,)
