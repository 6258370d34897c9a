from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inkguard.check.checker import Checker
from inkguard.errors import PolicyError
from inkguard.policy.load import load_policy, read_policy
from inkguard.policy.model import Mode, Policy
from inkguard.types import Action, VerifyWith

if TYPE_CHECKING:
    from tests.policy.conftest import Author

OWN_LIST = """
    wordlists:
      - category: insult
        rules:
          blocked: {severity: moderate, action: block, terms: [idiot]}
    """


def action(policy: Policy, word: str) -> Action:
    return Checker(policy, None).check(f'a sign that says "{word}"').action


def test_what_is_not_said_stays(author: Author) -> None:
    """A policy that says nothing of its own decides like the one it extends."""
    policy = author.extending("")
    assert (policy.name, policy.version) == ("own", "2")
    assert action(policy, "IDIOT") is Action.SUBSTITUTE
    assert policy.replacements.words[5] == ("apple",)
    assert [file.name for file in policy.files] == [
        "own.yaml",
        "policy.yaml",
        "words.yaml",
        "replacements.yaml",
    ]


def test_who_reads_is_taken_over_or_said_anew(author: Author) -> None:
    """`verify` is one key: what the outer policy says replaces both parts of it."""
    author.more("verify: all\n")
    assert author.extending("").verify_with is VerifyWith.ALL
    policy = author.extending("verify: true\n")
    assert (policy.verify, policy.verify_with) == (True, VerifyWith.DEFAULT)


def test_what_is_said_of_a_term_wins(author: Author) -> None:
    """A term of the extended policy takes the action of the policy's own list."""
    assert action(author.extending(OWN_LIST), "IDIOTS") is Action.BLOCK


def test_an_own_allowed_word_is_no_term(author: Author) -> None:
    """An allow-list takes out a term of the extended policy."""
    author.write("allow.yaml", "brands: [idiot]\n")
    policy = author.extending("allow: allow.yaml\n")
    assert action(policy, "IDIOT") is Action.ALLOW
    assert action(policy, "SHUT UP") is Action.SUBSTITUTE


def test_who_replaced_what_is_known(author: Author) -> None:
    """For lint: the id and place of what holds, and of what there was."""
    author.extending(OWN_LIST)
    (replaced,) = read_policy(author.folder / "own.yaml").replaced
    assert (replaced.rule, replaced.other_rule) == ("insult.blocked#49ae", "insult.mild#49ae")
    assert replaced.place.endswith("own.yaml:8:60")
    assert replaced.other.endswith("words.yaml:6:13")


def test_parts_are_merged(author: Author) -> None:
    """Categories and labels are added, stages and switches are changed one by one."""
    author.more(
        "detoxify:\n  insult: {threshold: 0.5, category: insult, severity: mild, action: flag}\n"
        "  threat: {threshold: 0.5, category: slur, severity: mild, action: flag}\n"
        "on_error: {lists: flag}\nextraction: {unquoted: false}\n"
    )
    policy = author.extending(
        """
        categories: {threat: threatening}
        detoxify:
          insult: null
          threat: {threshold: 0.9, category: threat, severity: severe, action: block}
        on_error: {classifier: flag}
        extraction: {quoted: true}
        mode: shadow
        replacements: {words: {5: [cloud]}, categories: {slur: {use: mask}}}
        """
    )
    assert list(policy.categories) == ["insult", "slur", "threat"]
    assert [(k, t.category, t.threshold) for k, t in policy.detoxify.items()] == [
        ("threat", "threat", 0.9)
    ]
    assert (policy.on_error.lists, policy.on_error.classifier) == (Action.FLAG, Action.FLAG)
    assert policy.on_error.extract is Action.BLOCK
    assert policy.extraction.quoted
    assert not policy.extraction.unquoted
    assert policy.mode is Mode.SHADOW
    assert policy.replacements.words == {5: ("cloud",), 6: ("garden",)}


def test_own_rules_come_first(author: Author) -> None:
    """With first match, a policy's own rule decides before those of the one it extends."""
    author.more("rules:\n  - {name: base, when: {}, action: flag}\n")
    policy = author.extending("rules:\n  - {name: own, when: {}, action: block}\n")
    assert [rule.name for rule in policy.rules] == ["own", "base"]
    assert action(policy, "IDIOT") is Action.BLOCK


def test_tests_are_not_inherited(author: Author) -> None:
    """What an extended policy asks of itself need not hold for this one."""
    author.more("tests:\n  - {prompt: a, action: allow}\n")
    assert author.extending("").tests == ()
    assert author.extending("tests:\n  - {prompt: b, action: block}\n").tests[0].prompt == "b"


def test_the_shipped_policy_by_name(author: Author, default: Policy) -> None:
    """`extends: default` is the policy that comes with the package."""
    head = "apiVersion: inkguard/v1\nname: own\nversion: '1'\nextends: default\n"
    policy = load_policy(author.write("shop.yaml", head + "mode: shadow\n"))
    assert len(policy.terms) == len(default.terms)
    assert policy.digest != default.digest


def test_circles_are_refused(author: Author) -> None:
    """Two policies cannot extend each other."""
    head = "apiVersion: inkguard/v1\nname: a\nversion: '1'\nextends: "
    author.write("a.yaml", head + "b.yaml\n")
    path = author.write("b.yaml", head + "a.yaml\n")
    with pytest.raises(PolicyError, match=r"a\.yaml:4:10: this policy extends itself"):
        load_policy(path)


def test_tests_of_an_extended_policy_may_name_what_is_replaced(author: Author) -> None:
    """A term that the outer policy takes over has another id there; the inner policy's tests are its own."""
    author.more("tests:\n  - {prompt: '\"IDIOT\"', action: substitute, rule: insult.mild#49ae}\n")
    assert action(author.extending(OWN_LIST), "IDIOT") is Action.BLOCK
