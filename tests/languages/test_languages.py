"""What the guard knows of languages, and how another one is added."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inkguard.extract import extract
from inkguard.languages import LANGUAGES, Language, language_of, vocabulary
from inkguard.languages.base import Inflection
from inkguard.languages.english import ENGLISH
from inkguard.languages.german import GERMAN
from inkguard.languages.spanish import SPANISH
from inkguard.match.fold import fold
from inkguard.match.matcher import Entry, Matcher
from inkguard.types import Action, Severity


def entry(term: str, locale: str | None) -> Entry:
    return Entry(
        term=term,
        rule="insult.mild/1",
        category="insult",
        severity=Severity.MILD,
        action=Action.SUBSTITUTE,
        misspelled=False,
        locale=locale,
    )


@pytest.mark.parametrize(
    ("locale", "language"),
    [(None, ENGLISH), ("en", ENGLISH), ("de", GERMAN), ("de-AT", GERMAN), ("es_MX", SPANISH)],
)
def test_a_locale_names_a_language(locale: str | None, language: Language) -> None:
    """Regions are no other language; without a locale a term is English."""
    assert language_of(locale) is language


def test_an_unknown_locale_is_english() -> None:
    """A list in a language that is not here takes English endings."""
    assert language_of("fr") is ENGLISH


@pytest.mark.parametrize("language", LANGUAGES, ids=[known.code for known in LANGUAGES])
def test_words_are_folded(language: Language) -> None:
    """Words are compared with folded text, so they are kept so; the common ones are in the dictionary."""
    listed = language.common | language.reversible
    assert all(fold(word).text == word for word in listed)
    assert language is ENGLISH or language.common <= language.dictionary()


@pytest.mark.parametrize(
    ("locale", "term", "found", "not_found"),
    [
        (None, "grumpy", ["grumpier", "grumpily"], ["grumpyen"]),
        ("de", "trottel", ["trotteln", "trottels"], ["trottelish", "trottelness"]),
        ("de", "dumme", ["dummer", "dummen"], ["dummeing"]),
        ("es", "tonto", ["tontas", "tonta", "tontos"], ["tontoed", "tontoing"]),
        ("es", "capataz", ["capataces"], ["capatazly"]),
    ],
)
def test_a_term_takes_its_languages_endings(
    locale: str | None, term: str, found: list[str], not_found: list[str]
) -> None:
    """Inflected forms of a term are found, those of another language are not."""
    matcher = Matcher([entry(term, locale)])
    assert all(matcher.find(word) for word in (term, *found))
    assert not any(matcher.find(word) for word in not_found)


def _plural(word: str) -> list[Inflection]:
    return [(word, frozenset(("", "zu")))]


assert ENGLISH.cues is not None
TOY = Language(
    code="qx",
    inflections=_plural,
    dictionary=lambda: frozenset(("nitwet",)),
    common=frozenset(("idi", "ot")),
    cues=replace(ENGLISH.cues, after=r"qa\sdice"),
)
WITH_TOY = (*LANGUAGES, TOY)


def test_a_language_is_one_object_and_one_entry() -> None:
    """Endings, dictionary, common words and cues of a new language work with nothing else touched."""
    terms = [
        entry("blorp", "qx"),
        *(replace(entry(t, None), misspelled=True) for t in ("nitwit", "idiot")),
    ]
    old, new = Matcher(terms), Matcher(terms, languages=WITH_TOY)
    assert new.find("BLORPZU")
    assert not old.find("BLORPZU")
    assert old.find("nitwet")
    assert not new.find("nitwet")
    assert old.find("idi ot")
    assert not new.find("idi ot")
    prompt = "un letrero qa dice hola"
    assert extract(prompt) == ()
    assert [span.text for span in extract(prompt, languages=WITH_TOY)] == ["hola"]


def test_words_of_all_languages_count() -> None:
    """A prompt does not say its language: a word of any one is a word."""
    words = vocabulary()
    assert {"house", "nicht", "siempre"} <= words.dictionary
    assert {"the", "aber", "cuando"} <= words.common
