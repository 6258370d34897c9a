"""Spanish: its commonest words, and its endings. Its prompts are read by the cues of the other languages."""

from __future__ import annotations

from inkguard.languages.base import Inflection, Language

__all__ = ["SPANISH"]

_COMMON = """
ahora algo alguien antes aqui asi aunque bajo bien cada casi como con contra cual cuando del desde
donde dos ella ellas ellos entre era eran eres esa ese eso esta estan este esto estos fue gran hace
hacia hasta las les los mas mientras mis mucho muy nada nos nosotros nunca otra otro para pero poco
por porque pues que quien sea segun ser siempre sin sobre son soy sus tambien tanto tengo tiene todo
todos tres tus una unas uno unos vamos vez voy
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
