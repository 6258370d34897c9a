from __future__ import annotations

from dataclasses import replace

import pytest

from inkguard.languages.dictionary import english_words
from inkguard.match.disguises.near_miss import Nearly
from inkguard.match.disguises.phonetic_keys import sketch, sound
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
NEARLY = Nearly((term, entry(term)) for term in TERMS)


@pytest.mark.parametrize(
    ("word", "how"),
    [
        ("eediot", "sounds like"),
        ("lozer", "sounds like"),
        ("mooron", "misspelled"),
        ("wankah", "sounds like"),
        ("wanka", "sounds like"),
        ("dorkz", "sounds like"),
        ("bastid", "sounds like"),
        ("idito", "misspelled"),
        ("idiiot", "misspelled"),
        ("bastrad", "misspelled"),
        ("drok", "misspelled"),
        ("ldiot", "looks like"),
        ("ldlots", "looks like"),
    ],
)
def test_found(word: str, how: str) -> None:
    """A word that sounds like a term, or is one slip away from it, is nearly it."""
    assert how in {way for _, way in NEARLY.find(word)}


@pytest.mark.parametrize(
    "word", ["xy", "doit", "dark", "lover", "maroon", "tanker", "fork", "a" * 60]
)
def test_not_found(word: str) -> None:
    """Words that begin otherwise, short words with another letter, and endless ones are not."""
    assert list(NEARLY.find(word)) == []


def test_backwards() -> None:
    """Terms that are not mild are found from their end to their beginning; palindromes are no disguise."""
    severe = replace(entry("wanker"), severity=Severity.MODERATE)
    level = replace(entry("sexes"), severity=Severity.MODERATE)
    turned = Nearly([("wanker", severe), ("sexes", level), ("loser", entry("loser"))])
    assert (severe, "backwards") in turned.find("reknaw")
    assert not any(how == "backwards" for w in ("sexes", "resol") for _, how in turned.find(w))


def test_opting_out() -> None:
    """A term that says so is found as it is spelled, and if it is long, with two letters swapped."""
    strict = Nearly((term, entry(term, misspelled=False)) for term in TERMS)
    slips = ("idito", "bastid", "lozer", "dorkz", "bastrd")
    assert not any(list(strict.find(word)) for word in slips)
    assert [how for _, how in strict.find("bastrad")] == ["misspelled"]
    assert [how for _, how in strict.find("wankah")] == ["sounds like"]


def test_known_words() -> None:
    """English words are known with their inflections."""
    assert {"trial", "trails", "duck", "fork", "whores"} <= english_words()


def test_keys() -> None:
    """Spellings of one pronunciation have one key; the coarse key needs consonants enough."""
    assert sound("phlox") == sound("flocks")
    assert sound("rayp") == sound("rape") != sound("rap")
    assert sound("bvmp") == sound("bump")
    assert sound("skool") == sound("scool")
    assert sketch(sound("bastard")) == sketch(sound("bustid"))
    assert sketch(sound("idiot")) == ""
