from __future__ import annotations

from dataclasses import replace

import pytest

from inkguard.languages import vocabulary
from inkguard.match.disguises.sound_alike import coarse_phonetic_key, phonetic_key
from inkguard.match.matcher import Matcher
from inkguard.match.terms import Entry
from inkguard.types import Action, Severity


def entry(term: str, misspelled: bool = True) -> Entry:
    return Entry(
        term=term,
        rule="insult.mild/1",
        category="insult",
        severity=Severity.MILD,
        action=Action.SUBSTITUTE,
        misspelled=misspelled,
    )


TERMS = ("idiot", "loser", "moron", "wanker", "bastard", "dork")
NEARLY = Matcher(map(entry, TERMS))


def ways(matcher: Matcher, word: str) -> set[str]:
    """The disguises of one word through which a term is found."""
    return {match.reading for match in matcher.find(word)}


@pytest.mark.parametrize(
    ("word", "how"),
    [
        ("eediot", "sounds like"),
        ("lozer", "sounds like"),
        ("wankker", "plain"),
        ("wankah", "sounds like"),
        ("wanka", "sounds like"),
        ("dorkz", "sounds like"),
        ("bastid", "sounds like"),
        ("idito", "misspelled"),
        ("bastrd", "misspelled"),
        ("bastrad", "misspelled"),
        ("drok", "misspelled"),
        ("ldiot", "looks like"),
        ("ldlots", "looks like"),
    ],
)
def test_found(word: str, how: str) -> None:
    """A word that sounds like a term, or is one slip away from it, is nearly it."""
    assert ways(NEARLY, word) == {how}


@pytest.mark.parametrize(
    "word", ["xy", "doit", "dark", "lover", "maroon", "tanker", "fork", "a" * 60]
)
def test_not_found(word: str) -> None:
    """Words that begin otherwise, short words with another letter, and endless ones are not."""
    assert not NEARLY.find(word)


def test_backwards() -> None:
    """Terms that are not mild are found from their end to their beginning; palindromes are no disguise."""
    severe = replace(entry("wanker"), severity=Severity.MODERATE)
    level = replace(entry("sexes"), severity=Severity.MODERATE)
    turned = Matcher([severe, level, entry("loser")])
    assert ways(turned, "reknaw") == {"backwards"}
    assert ways(turned, "sexes") == {"plain"}
    assert not turned.find("resol")


def test_opting_out() -> None:
    """A term that says so is found as it is spelled, and if it is long, with two letters swapped."""
    strict = Matcher(entry(term, misspelled=False) for term in TERMS)
    slips = ("idito", "bastid", "lozer", "dorkz", "bastrd")
    assert not any(strict.find(word) for word in slips)
    assert ways(strict, "bastrad") == {"misspelled"}
    assert ways(strict, "wankah") == {"sounds like"}


def test_known_words() -> None:
    """English words are known with their inflections."""
    assert {"trial", "trails", "duck", "fork", "whores"} <= vocabulary().dictionary


def test_keys() -> None:
    """Spellings of one pronunciation have one key; the coarse key needs consonants enough."""
    assert phonetic_key("phlox") == phonetic_key("flocks")
    assert phonetic_key("rayp") == phonetic_key("rape") != phonetic_key("rap")
    assert phonetic_key("bvmp") == phonetic_key("bump")
    assert phonetic_key("skool") == phonetic_key("scool")
    assert coarse_phonetic_key(phonetic_key("bastard")) == coarse_phonetic_key(
        phonetic_key("bustid")
    )
    assert coarse_phonetic_key(phonetic_key("idiot")) == ""
