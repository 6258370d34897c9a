from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import pytest

from inkguard.check.checker import Checker
from inkguard.match.fold import fold
from inkguard.policy.apply import ruled
from inkguard.policy.load import load_policy
from inkguard.policy.rules import Condition, ScoreRange, SpanKind
from inkguard.types import Action, Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.policy.conftest import Author

SIGN = 'a sign that says "IDIOT"'
CASES: list[tuple[str, str, str]] = [
    ("{}", SIGN, "block"),
    ("{category: insult}", SIGN, "block"),
    ("{category: [slur, insult]}", SIGN, "block"),
    ("{category: slur}", SIGN, "substitute"),
    ("{severity: mild}", SIGN, "block"),
    ("{severity: [moderate, severe]}", SIGN, "substitute"),
    ("{source: wordlist}", SIGN, "block"),
    ("{source: joined}", '"IDI" and "OT"', "block"),
    ("{source: reversed}", SIGN, "substitute"),
    ("{score: {at_most: 0.99}}", SIGN, "substitute"),
    ("{span: quoted}", SIGN, "block"),
    ("{span: quoted}", "a sign saying IDIOT", "substitute"),
    ("{span: unquoted}", "a sign saying IDIOT", "block"),
    ("{locale: en}", SIGN, "block"),
    ("{locale: de}", SIGN, "substitute"),
    ("{category: insult, severity: severe}", SIGN, "substitute"),
    ("{}", "an idiot in the rain", "flag"),
    ("{span: outside}", "an idiot in the rain", "block"),
]


@pytest.mark.parametrize(("when", "prompt", "action"), CASES, ids=map(str, range(len(CASES))))
def test_conditions(author: Author, when: str, prompt: str, action: str) -> None:
    """A rule decides on the findings that fit all that it names; outside of spans, only by name."""
    author.write(
        "words.yaml",
        "category: insult\nlocale: en\nrules:\n"
        "  mild: {severity: mild, action: substitute, terms: [idiot]}\n"
        "  de: {severity: mild, action: substitute, locale: de, terms: [trottel]}\n",
    )
    path = author.folder / "policy.yaml"
    path.write_text(path.read_text() + f"rules:\n  - {{name: r, when: {when}, action: block}}\n")
    assert str(Checker(load_policy(path), None).check(prompt).action) == action


@pytest.mark.parametrize(("match", "action"), [("first", "flag"), ("strictest", "block")])
def test_first_or_strictest(author: Author, match: str, action: str) -> None:
    """Of two rules that fit, the first decides, or the strictest; neither is bound by the list."""
    rules = (
        "rules:\n  - {name: a, when: {category: insult}, action: flag}\n"
        f"  - {{name: b, when: {{}}, action: block}}\nmatch: {match}\n"
    )
    assert str(author.check(rules, SIGN).action) == action


def test_scores(author: Author, scoring: Callable[..., Any]) -> None:
    """A band of scores may be treated otherwise than the rest; lists are not meant."""
    text = (
        "detoxify:\n  insult: {threshold: 0.5, category: insult, severity: mild, action: substitute}\n"
        "rules:\n  - name: unsure\n    when: {source: detoxify, score: {at_most: 0.8}}\n"
        "    action: flag\n"
    )
    assert author.check(text, '"HELLO"', scoring(HELLO=0.7)).action is Action.FLAG
    assert author.check(text, '"HELLO"', scoring(HELLO=0.9)).action is Action.SUBSTITUTE
    assert author.check(text, SIGN, scoring(IDIOT=0.7)).action is Action.SUBSTITUTE


def test_an_allowed_finding_is_still_told(author: Author) -> None:
    """A rule that allows leaves the finding in the decision, with that action."""
    decision = author.check("rules:\n  - {name: r, when: {}, action: allow}\n", SIGN)
    assert decision.action is Action.ALLOW
    assert [f.action for f in decision.findings] == [Action.ALLOW]


def test_outside_is_read_for_rules_that_name_it(author: Author) -> None:
    """Also where nothing else is to be done there."""
    text = "whole_prompt: {strictest: allow}\nrules:\n  - {name: r, when: {span: outside}, action: %s}\n"
    assert author.check(text % "block", "an idiot in the rain").action is Action.BLOCK
    assert author.check("whole_prompt: {strictest: allow}\n", "an idiot").findings == ()


def exception(more: str, day: str = "2999-01-01") -> str:
    head = "exceptions:\n  - {name: brand, owner: brands@example.com, reason: a brand, "
    return f"{head}expires: {day}, {more}}}\n"


@pytest.mark.parametrize(
    ("more", "prompt", "action"),
    [
        ("text: Idiot Juice", 'a bottle of "IDIOT JUICE"', "allow"),
        ("text: Idiot Juice", 'a bottle of "IDIOT-JUICE!"', "allow"),
        ("text: Idiot Juice", 'a bottle of "IDIOT JUICES"', "substitute"),
        ("text: Idiot Juice", 'a bottle of "IDIOT JUICE, IDIOT"', "substitute"),
        ("text: Idiot Juice", SIGN, "substitute"),
        ("rule: insult.mild#49ae", SIGN, "allow"),
        ("rule: insult.mild#6541", SIGN, "substitute"),
        ("rule: insult.mild", '"SHUT UP"', "allow"),
        ("rule: insult", '"SHUT UP"', "allow"),
        ("rule: insult.mild#49ae, text: the idiot", '"THE IDIOT"', "allow"),
        ("rule: insult.mild#6541, text: the idiot", '"THE IDIOT"', "substitute"),
        ("rule: insult.mild#49ae, action: flag", SIGN, "flag"),
        ("rule: insult.mild#49ae, action: block", SIGN, "substitute"),
    ],
)
def test_exceptions(author: Author, more: str, prompt: str, action: str) -> None:
    """An exception lets be what its words hold, or what its rule found, and never adds strictness."""
    assert str(author.check(exception(more), prompt).action) == action


def test_exceptions_end(author: Author) -> None:
    """An exception holds through its last day, and not on the next."""
    policy = author.load(exception("rule: insult.mild", "2026-06-30"))
    seen = Checker(policy, None).trace(SIGN).search.ruled
    assert [r.by for r in seen] == [None]  # long over
    found = [r.found for r in seen]
    last = datetime.date(2026, 6, 30)
    (held,) = ruled(policy, fold(SIGN), found, last)
    assert (held.finding.action, held.asked) == (Action.ALLOW, Action.SUBSTITUTE)
    assert held.by is policy.exceptions[0]
    (over,) = ruled(policy, fold(SIGN), found, last + datetime.timedelta(1))
    assert over.finding.action is Action.SUBSTITUTE


def test_exceptions_win_over_rules(author: Author) -> None:
    """What is excepted is not blocked by a rule."""
    rules = "rules:\n  - {name: r, when: {}, action: block}\n"
    assert author.check(rules, SIGN).action is Action.BLOCK
    assert author.check(rules + exception("rule: insult"), SIGN).action is Action.ALLOW


def test_a_brand_is_no_hole_for_a_classifier(author: Author, scoring: Callable[..., Any]) -> None:
    """A score over a whole span is let be where the span is the excepted text, and nowhere else."""
    text = exception("text: Idiot Juice") + (
        "detoxify:\n  insult: {threshold: 0.5, category: insult, severity: mild, action: block}\n"
    )
    juice = scoring(IDIOT_JUICE=0.9, IDIOT_JUICE_AND_MORE=0.9)
    assert author.check(text, '"IDIOT JUICE"', juice).action is Action.ALLOW
    assert author.check(text, '"IDIOT JUICE AND MORE"', juice).action is Action.BLOCK


def test_includes() -> None:
    """A condition includes another where it asks for nothing that the other does not."""
    wide = Condition(category=frozenset(("slur", "insult")))
    narrow = Condition(category=frozenset(("insult",)), severity=frozenset((Severity.MILD,)))
    assert Condition().includes(wide)
    assert wide.includes(narrow)
    assert not narrow.includes(wide)
    assert not Condition(span=frozenset((SpanKind.QUOTED,))).includes(narrow)
    assert not Condition(score=ScoreRange(at_least=0.5)).includes(narrow)
