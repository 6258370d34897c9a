"""German: its commonest words, and its endings. Its prompts are read by the cues of the other languages."""

from __future__ import annotations

from inkguard.languages.base import Inflection, Language

__all__ = ["GERMAN"]

# Of four letters and more: shorter ones stand beside the terms of other languages by chance.
_COMMON = """
aber alle alles also auch bist damit dann dass dein dich doch durch eine einem einen einer eines
euch euer gegen gibt haben hatte hier ihre immer jetzt kann kein keine mehr mein mich nach nicht
noch oder ohne schon sehr sein seine sich sind uber ueber unser unter weil wenn werden wieder wird
zwischen
"""
_ENDINGS = frozenset(("", "e", "em", "en", "er", "es", "n", "s", "in", "innen"))


def _inflections(word: str) -> list[Inflection]:
    """Endings of nouns and adjectives; a changed vowel ("Kopf", "Köpfe") needs a term of its own."""
    if word.endswith("e"):
        return [(word, frozenset(("", "m", "n", "r", "s")))]
    return [(word, _ENDINGS)]


def _dictionary() -> frozenset[str]:
    return GERMAN.common


GERMAN = Language(
    code="de", inflections=_inflections, dictionary=_dictionary, common=frozenset(_COMMON.split())
)
