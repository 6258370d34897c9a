"""Spanish: its commonest words, and its endings. Its prompts are read by the cues of the other languages."""

from __future__ import annotations

from inkguard.languages.base import Inflection, Language

__all__ = ["SPANISH"]

# Of four letters and more: shorter ones stand beside the terms of other languages by chance.
_COMMON = """
ahora algo alguien antes aqui aunque bajo bien cada casi como contra cual cuando desde donde ella
ellas ellos entre eran eres esta estan este esto estos gran hace hacia hasta mientras mucho nada
nosotros nunca otra otro para pero poco porque pues quien segun siempre sobre tambien tanto tengo
tiene todo todos tres unas unos vamos
"""
_GENDER = frozenset(("a", "as", "o", "os"))


def _inflections(word: str) -> list[Inflection]:
    """Number and gender of nouns and adjectives: `"tonto"` gives "tont" with a, as, o and os."""
    if word.endswith(("a", "o")):
        return [(word[:-1], _GENDER)]
    if word.endswith(("e", "i", "u")):
        return [(word, frozenset(("", "s")))]
    if word.endswith("z"):
        return [(word, frozenset(("",))), (word[:-1], frozenset(("ces",)))]
    return [(word, frozenset(("", "a", "as", "es")))]


def _dictionary() -> frozenset[str]:
    return SPANISH.common


SPANISH = Language(
    code="es", inflections=_inflections, dictionary=_dictionary, common=frozenset(_COMMON.split())
)
