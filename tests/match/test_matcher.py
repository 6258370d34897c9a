"""What is found in a text, and what is spared."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkguard.match.fold import FoldedText
from inkguard.match.matcher import Entry, Matcher, Matching
from inkguard.policy.load import load_policy
from inkguard.types import Action, Severity


def entry(term: str, matching: Matching = Matching.INFLECTED) -> Entry:
    return Entry(
        term=term,
        rule=f"insult.mild/{term[0]}",
        category="insult",
        severity=Severity.MILD,
        action=Action.SUBSTITUTE,
        matching=matching,
    )


LISTS = Matcher(
    [
        entry("idiot"),
        entry("loser"),
        entry("shut up", Matching.EXACT),
        entry("dumm", Matching.STEM),
    ],
    allow=["idiot light", "dummkopf", "looser"],
    compound_parts=["you", "face"],
)
FOUND = [
    ("IDIOT", "IDIOT"),
    ("an Idiot!", "Idiot"),
    ("IDIOTS", "IDIOTS"),
    ("IDIOTNESS", "IDIOTNESS"),
    ("idiotically", "idiotically"),
    ("1D10T", "1D10T"),
    ("L0SER", "L0SER"),
    ("LO$ER", "LO$ER"),
    ("I D I O T", "I D I O T"),
    ("x I.D.I.O.T.", "I.D.I.O.T"),
    ("IDIOOOT", "IDIOOOT"),
    ("ІDІОТ", "ІDІОТ"),
    ("SHUT UP", "SHUT UP"),
    ("shut\nup now", "shut\nup"),
    ("#SHUTUP", "SHUTUP"),
    ("$HUT UP", "$HUT UP"),
    ("YOUIDIOT", "YOUIDIOT"),
    ("idiotface", "idiotface"),
    ("idiot's", "idiot"),
    ("IDIOTIC", "IDIOTIC"),
    ("L0SERS", "L0SERS"),
    ("IDI\\/IDIOT", "IDIOT"),
    ("idi*t", "idi*t"),
    ("IDI▮T!", "IDI▮T"),
    ("l—ser", "l—ser"),
    ("id iot", "id iot"),
    ("ID - IOT", "ID - IOT"),
    ("ʇoᴉpᴉ", "ʇoᴉpᴉ"),
    ("lozah", "lozah"),
    ("eediot", "eediot"),
    ("idoit", "idoit"),
    ("Idito", "Idito"),
    ("xXidiotXx", "xXidiotXx"),
    ("idiot1234", "idiot1234"),
    ("ⒾⒹⒾⓄⓉ", "ⒾⒹⒾⓄⓉ"),
    ("ᏞᎾᏚᎬᎡ", "ᏞᎾᏚᎬᎡ"),
    ("Dummy", "Dummy"),
    ("L0SERZ", "L0SERZ"),
    ("LOS€R", "LOS€R"),
    ("(i)(d)(i)(o)(t)", "i)(d)(i)(o)(t"),
    ("big(i)(d)(i)(o)(t)-head", "i)(d)(i)(o)(t"),
    ("idio?", "idio?"),
    ("[I] [D] [I] [O] [T] hello", "I] [D] [I] [O] [T"),
]
CLEAN = [
    "",
    "HELLO",
    "idiolect",
    "shut the door, look up",
    "idiot light",
    "IDIOT LIGHTS",
    "Dummkopf",
    "L*S*R",
    "idiosyncrasy",
    "closer",
    "1d",
    "looser",
    "WIN OR LOSE?",
    "(i) see (d) below",
]
HARMLESS = [
    "Scunthorpe",
    "Essex",
    "Sussex",
    "Dick Van Dyke",
    "assassin",
    "cocktail",
    "shiitake",
    "Wang",
    "cockpit",
    "garbage truck",
    "analysis",
    "class",
    "pass",
    "grape",
    "therapist",
    "Hancock",
    "HE'LL",
    "button",
    "title",
    "twitter",
    "grasshopper",
    "Phuket",
    "peacock",
]


@pytest.mark.parametrize(("text", "match"), FOUND, ids=map(str, range(len(FOUND))))
def test_found(text: str, match: str) -> None:
    """A term is found in its inflections and disguises, at its place in the original."""
    assert [text[m.start : m.end] for m in LISTS.find(text)] == [match]


@pytest.mark.parametrize("text", CLEAN, ids=map(str, range(len(CLEAN))))
def test_clean(text: str) -> None:
    """Parts of words, scattered phrases and allowed terms are no matches."""
    assert LISTS.find(text) == ()


def test_a_plural_that_is_a_term_is_not_allowed() -> None:
    """Unless it is allowed itself; and letters that are repeated are no plural either."""
    terms = [entry("witch"), entry("mug"), entry("asinine")]
    found = Matcher(terms, allow=["witche", "mugs", "asinin"], compound_parts=["s"]).find
    assert not found("witche")
    assert not found("mugs")
    assert found("witches")
    assert found("mug")
    assert not found("asinins")
    assert Matcher([entry("mug"), entry("less")], allow=["muggle"]).find("mugless")
    assert Matcher([entry("dim"), entry("ass")], allow=["dima"]).find("dimass")


@pytest.mark.parametrize("text", HARMLESS, ids=map(str, range(len(HARMLESS))))
def test_default_lists_spare(text: str) -> None:
    """The default policy finds nothing in harmless words, in any case."""
    words = load_policy().matcher
    assert not any(words.find(t) for t in (text, text.upper(), text.lower()))


@pytest.mark.parametrize("number", range(40))
def test_default_terms_are_found(number: int) -> None:
    """Every term of the default policy is found as it is written and in capitals."""
    policy = load_policy()
    for e in policy.terms[number::40]:
        assert policy.matcher.find(e.term), e.rule
        assert policy.matcher.find(e.term.upper()), e.rule


@given(st.text() | st.text(alphabet="idotSHUTP 10!.-"))
def test_offsets(text: str) -> None:
    """Any text is searched without an error, and matches lie within it."""
    assert all(0 <= m.start < m.end <= len(text) for m in LISTS.find(text))


@pytest.mark.parametrize("unit", ["dumm", "idiot ", "a-", "a b ", "1!", "a"])
def test_long_text(unit: str, seconds: Callable[[Callable[[], object]], float]) -> None:
    """Long texts, and long words, take linear time."""
    assert seconds(lambda: LISTS.find(unit * (50_000 // len(unit)))) < 3


def test_lists_without_terms_find_nothing() -> None:
    """A policy may have the classifier alone; an automaton without keys would end the process."""
    assert Matcher([]).find("a sign that says l0ser, los er") == ()


def test_exact_search_guesses_nothing() -> None:
    """Asked for exact matches, the lists see through disguises but not through slips and gaps."""
    assert LISTS.find("1D10T", exact=True)
    assert LISTS.find("YOUIDIOT", exact=True)
    assert not any(LISTS.find(t, exact=True) for t in ("idoit", "lozah", "id iot"))


def test_an_allowed_term_is_named_beside_what_it_covers() -> None:
    """A match that an allowed term spans is none, whatever disguises the two are in; the pass tells both."""
    matches = LISTS.match("1D10T light")
    assert matches.found == ()
    covered = matches.covered[0]
    assert (covered.match.entry.term, covered.allowed.term) == ("idiot", "idiot light")
    assert (covered.start, covered.end) == (0, 11)
    assert covered.start <= covered.match.start < covered.match.end <= covered.end


@given(
    st.text(alphabet="idotSHUTP 10!.-é\u200b", max_size=30), st.integers(0, 9), st.integers(0, 9)
)
def test_a_part_of_a_folded_text_is_searched_as_itself(text: str, before: int, after: int) -> None:
    """Searching a part finds what searching its text finds, with offsets of the whole."""
    whole = "x" * before + " " + text + " " + "y" * after
    part = FoldedText.of(whole).within(before + 1, before + 1 + len(text))
    alone = [(m.start + before + 1, m.end + before + 1, m.entry) for m in LISTS.find(text)]
    assert [(m.start, m.end, m.entry) for m in LISTS.find(part)] == alone


def test_a_matcher_is_pickled_with_its_languages_and_disguises() -> None:
    """Compiled anew, it finds the same."""
    data = pickle.dumps(LISTS)
    assert len(data) < 5_000  # the terms, and no dictionaries
    again = pickle.loads(data)
    assert again.find("1D10T, id iot") == LISTS.find("1D10T, id iot")
