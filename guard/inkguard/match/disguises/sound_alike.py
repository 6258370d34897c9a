"""Words that sound like a term: two spellings of one pronunciation get one key.

The rules follow what people do to a word to slip it past a filter ("ph" for f, "k" for ck, "z" for s,
"x" for cks), not a general phonetic algorithm: Soundex and Metaphone drop vowels, and with them the
difference to most harmless words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from inkguard.match.disguises.base import WordDisguise
from inkguard.match.term_index import TermIndex
from inkguard.match.terms import Entry
from inkguard.match.tuning import TUNING

__all__ = ["SoundAlike", "coarse_phonetic_key", "phonetic_key"]


class SoundAlike(WordDisguise):
    """Another spelling of the sound.

    Example: eediot, knitwit
    Leaves alone: words that a dictionary has; terms with `misspelled: false` whose sound is shorter than five.
    Known misses: accents that the rules do not know; sounds of other languages.
    Place: after the disguises that keep the letters, before slips.
    """

    label = "sounds like"

    def __init__(self, terms: TermIndex) -> None:
        super().__init__(terms)
        self._by_key: dict[str, list[str]] = {}
        self._by_coarse_key: dict[str, list[str]] = {}
        self._misspelled: set[str] = set()  # terms that say that misspellings count
        for word, entries in terms.words.items():
            if not word.isalpha():
                continue
            loose = any(entry.misspelled for entry in entries)
            key = phonetic_key(word)
            if len(key) >= (TUNING.shortest_sound if loose else TUNING.shortest_sure_sound):
                self._by_key.setdefault(key, []).append(word)
            if loose:
                self._misspelled.add(word)
                if len(word) >= TUNING.shortest_coarse_sound and (
                    coarse := coarse_phonetic_key(key)
                ):
                    self._by_coarse_key.setdefault(coarse, []).append(word)

    def entries(self, word: str) -> Iterator[Entry]:
        """The terms of one word that sound so, also before an ending."""
        # The shortest of several spellings first: which rule is told must not hang on chance.
        for term in sorted(dict.fromkeys(self._alike(word)), key=len):
            yield from self._terms.words[term]

    def _alike(self, word: str) -> Iterator[str]:
        key = phonetic_key(word)
        yield from self._by_key.get(key, ())
        if len(word) >= TUNING.shortest_coarse_sound:
            yield from self._by_coarse_key.get(coarse_phonetic_key(key), ())
        for suffix in self._terms.vocabulary.misspelled_suffixes:
            stem = word.removesuffix(suffix)
            if stem == word or len(stem) < TUNING.shortest_sound:
                continue
            if stem in self._misspelled:
                yield stem
            elif stem not in self._terms.vocabulary.dictionary:
                yield from self._by_key.get(phonetic_key(stem), ())


_VOWELS = (
    *(("qq", "gg"), ("oa", "O"), ("ay", "A"), ("ai", "A"), ("aw", "o"), ("au", "o")),
    *(("ee", "i"), ("ea", "i"), ("ie", "i"), ("ei", "i"), ("iy", "i")),
    *(("oo", "u"), ("ou", "u"), ("uh", "u"), ("uw", "u")),
)
_CONSONANTS = (
    *(("ph", "f"), ("pf", "f"), ("sch", "sh"), ("tch", "ch"), ("ck", "k"), ("qu", "k"), ("q", "k")),
    *(("kh", "k"), ("x", "ks"), ("z", "s"), ("dg", "j")),
)
_SILENT = (("kn", "n"), ("gn", "n"))
_ENDINGS = ("er", "ah", "or", "re", "eh")
_DOUBLED = re.compile(r"(.)\1+")
_SOFT_C, _HARD_C = re.compile("c(?=[eiy])"), re.compile("c(?!h)")
_LONG = re.compile("([aou])([b-df-hj-np-tv-z])e$")  # "rape" has not the vowel of "rap"
_LATIN_V = re.compile("(?<=[b-df-hj-np-tv-z])v(?=[b-df-hj-np-tv-z])")
_VOWEL_Y = re.compile("(?<=[a-z])y(?![aeiou])")


def phonetic_key(word: str) -> str:
    """The key of a folded word of Latin letters."""
    if word.endswith("ey"):
        word = word[:-2] + "i"
    word = _LATIN_V.sub("u", _LONG.sub(_lengthen, word))
    word = _DOUBLED.sub(r"\1", _replaced(word, _VOWELS))
    word = _replaced(word, _CONSONANTS)
    if "c" in word:
        word = _HARD_C.sub("k", _SOFT_C.sub("s", word))
    if "y" in word:
        word = _VOWEL_Y.sub("i", word)
    for start, to in _SILENT:
        if word.startswith(start):
            word = to + word[2:]
    if word.endswith(_ENDINGS):
        word = word[:-2] + "a"
    return _DOUBLED.sub(r"\1", word)


def _lengthen(match: re.Match[str]) -> str:
    return match[1].upper() + match[2]


def _replaced(word: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for old, new in pairs:
        if old in word:
            word = word.replace(old, new)
    return word


_ANY_VOWEL = re.compile(r"[aeiouAOU]+[hw]?|(?<=[a-z])[hw]$")
_DROPPED_R = re.compile(r"(?<=V)r(?![aeiouV])")


def coarse_phonetic_key(key: str) -> str:
    """A coarser key of a `phonetic_key`: all vowels are one, and no r is heard before a consonant.

    "" where too few consonants are left to say much.
    """
    coarse = _DROPPED_R.sub("", _ANY_VOWEL.sub("V", key))
    return coarse if len(coarse) - coarse.count("V") >= TUNING.fewest_consonants else ""
