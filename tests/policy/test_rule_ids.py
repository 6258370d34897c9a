"""Ids of word-list entries: edits of a list move none of them, and so no exception."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkguard.errors import PolicyError
from inkguard.policy.load import load_policy
from inkguard.policy.rule_ids import RuleIds, list_rule_of, term_digest

if TYPE_CHECKING:
    from inkguard.policy.model import Policy
    from tests.policy.conftest import Author

RULE = "insult.mild"
HEX = "0123456789abcdef"
DIGESTS = st.lists(
    # Digests that often share their beginnings, which those of words seldom do.
    st.builds(
        lambda head, tail: head + tail * 15,
        st.sampled_from(("0" * 4, "0" * 8, "1" * 4)),
        st.text(HEX, min_size=4, max_size=4),
    ).map(lambda digits: digits[:64]),
    unique=True,
    max_size=8,
)
LISTED = st.permutations(["rotter", "cad", "bounder", "scallywag", "rapscallion", "ne'er-do-well"])


def ids(digests: list[str]) -> RuleIds:
    made = RuleIds()
    for digest in digests:
        made.add(RULE, digest)
    return made


def collision() -> tuple[str, str]:
    """Two terms of one rule with the same first four digits."""
    seen: dict[str, str] = {}
    for a, b in combinations("abcdefghijklmnopqrstuvwxyz", 2):
        for c in "abcdefghijklmnopqrstuvwxyz":
            term = f"zz{a}{b}{c}"
            other = seen.setdefault(term_digest("terms", term)[:4], term)
            if other != term:
                return other, term
    raise AssertionError("no two of these words begin alike")


def test_an_id_is_no_word_and_no_position() -> None:
    """The rule's name and the beginning of a SHA-256 over the kind of match and the folded term."""
    digest = term_digest("terms", "idiot")
    assert digest.startswith("49ae")
    assert ids([digest]).id_of(RULE, digest) == "insult.mild#49ae"
    assert term_digest("exact", "idiot") != digest
    assert list_rule_of("insult.mild#49ae") == RULE


@given(DIGESTS)
def test_ids_are_unique(digests: list[str]) -> None:
    """Each entry of a rule has its own, and no id is the beginning of another one."""
    made = ids(digests)
    found = [made.id_of(RULE, digest) for digest in digests]
    assert not any(a.startswith(b) or b.startswith(a) for a, b in combinations(found, 2))
    for digest, rule in zip(digests, found, strict=True):
        assert f"{RULE}#{digest}".startswith(rule)
        assert made.meant_by(rule) == made.meant_by(f"{RULE}#{digest}") == [rule]


@given(DIGESTS, st.data())
def test_ids_do_not_depend_on_order(digests: list[str], data: st.DataObject) -> None:
    """The same entries have the same ids, in whatever order they stand."""
    other = data.draw(st.permutations(digests))
    for digest in digests:
        assert ids(digests).id_of(RULE, digest) == ids(other).id_of(RULE, digest)


@given(DIGESTS, st.data())
def test_a_reference_never_means_another_entry(digests: list[str], data: st.DataObject) -> None:
    """Whatever is added, what named one entry names the same one, or is no longer enough to name it."""
    kept = data.draw(st.lists(st.sampled_from(digests), unique=True)) if digests else []
    before, after = ids(kept), ids(digests)
    for digest in kept:
        reference = before.id_of(RULE, digest)
        meant = after.meant_by(reference)
        assert after.id_of(RULE, digest) in meant
        lonely = all(d == digest or d[:4] != digest[:4] for d in digests)
        assert meant == [reference] or not lonely


@given(LISTED, st.integers(0, 6), st.booleans())
def test_edits_move_nothing(listed: list[str], size: int, sort: bool) -> None:
    """Terms that are inserted, removed or sorted change no other term's id."""
    words = sorted(listed[:size]) if sort else listed[:size]
    digests = {word: term_digest("terms", word) for word in listed}
    some, every = (ids([digests[word] for word in which]) for which in (words, listed))
    for word in words:
        assert some.id_of(RULE, digests[word]) == every.id_of(RULE, digests[word])


def listed(author: Author, *terms: str, more: str = "") -> Policy:
    """The small policy, with these terms in one rule."""
    rule = f"{{severity: mild, action: substitute, terms: [{', '.join(terms)}]}}"
    path = author.more("")
    author.write("words.yaml", f"category: insult\nrules: {{mild: {rule}}}\n")
    path.write_text(path.read_text() + more)
    return load_policy(path)


EXCEPTION = (
    "exceptions: [{name: x, owner: o, reason: r, expires: 2999-01-01, rule: insult.mild#%s}]\n"
)


@pytest.mark.parametrize(
    "terms", [("rotter", "cad"), ("cad", "bounder", "rotter"), ("zany", "rotter")]
)
def test_an_exception_stays_with_its_word(author: Author, terms: tuple[str, ...]) -> None:
    """However the list around a term is edited, its exception is for that term."""
    more = EXCEPTION % term_digest("terms", "rotter")[:4]
    policy = listed(author, *terms, more=more)
    (held,) = [e.term for e in policy.terms if e.rule == policy.exceptions[0].rule]
    assert held == "rotter"


def test_an_exception_of_a_removed_word_is_refused(author: Author) -> None:
    """It does not go over to what stands there now."""
    with pytest.raises(PolicyError, match="no such rule"):
        listed(author, "cad", more=EXCEPTION % term_digest("terms", "rotter")[:4])


def test_terms_whose_ids_begin_alike(author: Author) -> None:
    """Both have eight digits; what names both is refused, and tells them apart."""
    one, other = collision()
    full = [term_digest("terms", word) for word in (one, other)]
    alone = listed(author, one, more=EXCEPTION % full[0][:8])
    assert alone.exceptions[0].rule == alone.terms[0].rule == f"insult.mild#{full[0][:4]}"
    policy = listed(author, one, other, "cad")
    expected = [f"insult.mild#{digits[:8]}" for digits in full]
    assert [e.rule for e in policy.terms][:2] == expected
    with pytest.raises(PolicyError) as caught:
        listed(author, one, other, more=EXCEPTION % full[0][:4])
    assert all(rule in str(caught.value) for rule in expected)


@pytest.mark.parametrize("where", ["exception", "test"])
def test_ids_by_position_are_refused(author: Author, where: str) -> None:
    """The message says where, and which id what stands there now has."""
    more = {
        "exception": EXCEPTION.replace("insult.mild#%s", "insult.mild/2"),
        "test": "tests: [{prompt: a, action: allow, rule: insult.mild/2}]\n",
    }[where]
    with pytest.raises(PolicyError, match=r"policy\.yaml:7:\d+: .*insult\.mild#6541") as caught:
        author.load(more)
    assert "shut" not in str(caught.value)


def test_an_expression_stands_once_in_a_rule(author: Author) -> None:
    """Two of the same would have one id."""
    with pytest.raises(PolicyError, match=r"words\.yaml:8:22: this expression stands already at"):
        author.load("    patterns: ['x+', 'x+']\n", "words.yaml")


def test_ids_of_the_shipped_lists(default: Policy) -> None:
    """Every entry has its own, and few need more than four digits."""
    rules = [e.rule for e in (*default.terms, *default.patterns)]
    assert len(set(rules)) == len(rules)
    assert sum(len(rule.rpartition("#")[2]) == 4 for rule in rules) > 0.95 * len(rules)
