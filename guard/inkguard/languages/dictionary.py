"""Which words are English: they are never taken for a misspelled, split or mispronounced term."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = ["english_words"]


@cache
def english_words() -> frozenset[str]:
    """82,765 words in small letters, inflected forms included: SymSpell's frequency dictionary."""
    text = (files("symspellpy") / "frequency_dictionary_en_82_765.txt").read_text("utf-8-sig")
    return frozenset(line.partition(" ")[0] for line in text.splitlines())
