"""Each disguise sees what its docstring says, and leaves alone and misses what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from inkguard.match.disguises import DISGUISES, Attempt, Disguise, DisguisedText
from inkguard.match.matcher import Entry, Matcher
from inkguard.types import Action, Severity
from tools.disguises_page import described, page

MATCHING = Path(__file__).parents[3] / "docs" / "guides" / "matching.md"


def entry(term: str, severity: Severity = Severity.MILD, *, misspelled: bool = True) -> Entry:
    return Entry(
        term=term,
        rule=f"insult.{term}",
        category="insult",
        severity=severity,
        action=Action.SUBSTITUTE,
        misspelled=misspelled,
    )


TERMS = [
    entry("idiot"),
    entry("nitwit"),
    entry("loser"),
    entry("ninny", misspelled=False),
    entry("all"),
    entry("imbecile", Severity.MODERATE),
    entry("big idiot"),
    entry("shut up"),
    entry("sexes", Severity.MODERATE),
]
MATCHER = Matcher(TERMS)

# Class name; what it sees; what it leaves alone; what it misses, as its docstring says.
ROWS = [
    ("Split", ["idi ot", "id - iot"], ["nit wit", "idi    ot", "idi\not"], ["id i ot"]),
    ("Plain", ["ÍDÏOT", "іdіоt", "ⒾⒹⒾⓄⓉ", "IDIOOOT", "i\u200bdiot"], ["中国"], []),
    ("UpsideDown", ["ʇoᴉpᴉ"], ["toipi"], []),
    ("Leet", ["1D10T", "!d!0t", "1d10ts"], ["A11", "hello!"], ["b1g 1"]),
    ("Spaced", ["i d i o t", "I.D.I.O.T", "i . d . i . o . t", "idi-o-t"], ["i d"], ["id io t"]),
    ("Boxed", ["(i)(d)(i)(o)(t)", "[I] [D] [I] [O] [T]"], ["(i) (d)"], ["(id)(io)(t)"]),
    ("LeetLattice", ["1Di()t", "idi\\/id10t", "|\\|itwit"], ["hello", "$5.00"], ["sh(_)t up"]),
    ("Masked", ["id*ot", "n#twit", "idio?"], ["L*S*R", "win or lose?"], ["i****"]),
    ("Reversed", ["ELICEBMI"], ["TOIDI", "sexes", "lived"], ["SELICEBMI"]),
    ("LForI", ["ldiot", "nltwlt", "ldlot"], ["lot"], []),
    ("SoundAlike", ["eediot", "knitwitt", "lozah"], ["lover", "nini"], []),
    ("Typo", ["nitwt", "idoit", "imbesile"], ["ediots", "doit", "niny"], ["ntwt"]),
]
BY_NAME = {disguise.__name__: disguise for disguise in DISGUISES}


def through(name: str, text: str) -> bool:
    """Whether the disguise finds a term in a text by itself, beside the plain reading."""
    needed = [BY_NAME[n] for n in ("Plain", name)]
    found = Matcher(TERMS, disguises=tuple(dict.fromkeys(needed))).find(text)
    return any(match.reading == BY_NAME[name].label for match in found)


def test_every_disguise_has_a_row() -> None:
    """The table is in the order of the tuple, and whole."""
    assert [name for name, *_ in ROWS] == [disguise.__name__ for disguise in DISGUISES]


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, seen, _, _ in ROWS for text in seen]
)
def test_sees(name: str, text: str) -> None:
    """A term in a disguise is found through it, at a place in the text."""
    assert through(name, text)
    assert MATCHER.find(text)


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, _, *rest in ROWS for texts in rest for text in texts]
)
def test_leaves_alone_or_misses(name: str, text: str) -> None:
    """What a docstring says is left alone, or is a known miss, is not found through that disguise."""
    assert not through(name, text)


@pytest.mark.parametrize("text", ["id10t hello", "nothing here", "1d i-d*t qorbatu", "", "ʇoᴉpᴉ"])
def test_every_attempt_is_a_reading(text: str) -> None:
    """Whatever was tried is told, also where it hit nothing, and lies in the text."""
    readings = MATCHER.match(text).readings
    assert all(0 <= r.start < r.end <= len(text) and r.text for r in readings)
    assert {m.reading for m in MATCHER.find(text)} <= {r.label for r in readings}
    assert not text or readings[0].label in {"split", "plain"}


def test_readings_say_what_was_tried() -> None:
    """Each kind of reading shows the text that it searched."""
    tried = {(r.label, r.text) for r in MATCHER.match("idi*x 1D10T qorbatu").readings}
    assert ("plain", "idi*x 1d10t qorbatu") in tried
    assert ("leet", "idi*x idiot qorbatu") in tried
    assert ("masked", "idi?x") in tried
    assert ("backwards", "utabroq") in tried
    assert ("misspelled", "qorbatu") in tried


def test_the_page_is_what_the_docstrings_say() -> None:
    """Otherwise: python -m tools.disguises_page."""
    text = MATCHING.read_text(encoding="utf-8")
    assert page(text) == text
    assert all(described(disguise)["Place"] for disguise in DISGUISES)


def test_a_docstring_without_a_field_is_refused() -> None:
    """A disguise that does not say what it misses gets no row."""
    with pytest.raises(ValueError, match="Example"):
        described(Disguise)


class Doubled(Disguise):
    """A toy: every letter is written twice over, with an x in between ("ixidxd" reads "id")."""

    label = "doubled"

    def attempts(self, text: DisguisedText) -> Iterator[Attempt]:
        """`"ixidxdixioxotxt"` reads "idiot"."""
        read = text.plain.text
        if len(read) % 3 == 0 and read[1::3] == "x" * (len(read) // 3) and read[::3] == read[2::3]:
            kept = text.plain.drop((i + 1, i + 3) for i in range(0, len(read), 3))
            yield from text.whole(self.label, kept)


def test_a_disguise_is_one_class_and_one_entry() -> None:
    """A new class in the tuple is seen through, reported by its label, and tried on every text."""
    matcher = Matcher(TERMS, disguises=(*DISGUISES, Doubled))
    match = matcher.find("ixidxdixioxotxt")[0]
    assert (match.start, match.end, match.reading) == (0, 13, "doubled")
    assert not MATCHER.find("ixidxdixioxotxt")
    assert "doubled" in {r.label for r in matcher.match("axabxb").readings}
