"""How well what OCR reads agrees with a text that was wanted.

All compare `inkguard.verify.letters_of` of both: letters and digits only, case folded. Order
counts in `exact`, `near` and `similarity`, not in `characters_f1` and `recall`.
"""

from __future__ import annotations

from collections import Counter

from rapidfuzz.distance import Levenshtein

from inkguard.verify import letters_of, near

__all__ = ["characters_f1", "exact", "near", "recall", "similarity"]


def characters_f1(read: str, wanted: str) -> float:
    """F1 of the characters as multisets, in 0..1: the paper's OCR F1 (section 3).

    With c characters in common (each as often as it is in both), precision is c / len(read), recall
    c / len(wanted), and F1 their harmonic mean 2c / (len(read) + len(wanted)). Two empty texts
    agree (1), an empty one with another does not (0).
    """
    a, b = letters_of(read), letters_of(wanted)
    return 2 * _common(a, b) / (len(a) + len(b)) if a or b else 1.0


def recall(read: str, wanted: str) -> float:
    """Share of the wanted characters that were read, as multisets, in 0..1; 1 where none is wanted."""
    a, b = letters_of(read), letters_of(wanted)
    return _common(a, b) / len(b) if b else 1.0


def similarity(read: str, wanted: str) -> float:
    """1 - Levenshtein distance / length of the longer text, in 0..1; 1 for two empty texts."""
    return float(Levenshtein.normalized_similarity(letters_of(read), letters_of(wanted)))


def exact(read: str, wanted: str) -> bool:
    """Whether the very letters were read, in order."""
    return letters_of(read) == letters_of(wanted)


def _common(a: str, b: str) -> int:
    return (Counter(a) & Counter(b)).total()
