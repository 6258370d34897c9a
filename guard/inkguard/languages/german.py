"""German: its commonest words, and its endings. Its prompts are read by the cues of the other languages."""

from __future__ import annotations

from inkguard.languages.base import Inflection, Language

__all__ = ["GERMAN"]

_COMMON = """
aber alle alles als also auch auf aus bei bin bis bist damit dann das dass dein dem den der des dich
dir doch durch ein eine einem einen einer eines euch euer gegen gibt haben hatte hier ich ihm ihn
ihr ihre immer ist jetzt kann kein keine mehr mein mich mir mit nach nicht noch nur oder ohne schon
sehr sein seine sich sie sind uber ueber und uns unser unter vom von vor weil wenn wer werden wie
wieder wir wird zum zur zwischen
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
