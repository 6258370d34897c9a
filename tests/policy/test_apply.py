from __future__ import annotations

import pytest

from inkguard.check.findings import find_with_context
from inkguard.check.prompt_texts import PromptTexts
from inkguard.errors import ClassifierError
from inkguard.policy.apply import decide
from inkguard.policy.load import load_policy
from inkguard.types import Action, Finding

POLICY = load_policy()
CASES = [
    ('a sign that says "HELLO"', Action.ALLOW),
    ('a sign that says "IDIOT"', Action.SUBSTITUTE),
    ("a sign that says SHUT UP in red", Action.SUBSTITUTE),
    ('"IDI" and "OT"', Action.SUBSTITUTE),
    ('"SHUT" and "UP"', Action.SUBSTITUTE),
    ("a loser in the rain", Action.FLAG),
    ('"SCUNTHORPE"', Action.ALLOW),
]


def found(prompt: str, *scores: dict[str, float]) -> tuple[Finding, ...]:
    texts = PromptTexts.of_prompt(POLICY, prompt)
    return find_with_context(POLICY, texts, scores or None).findings


@pytest.mark.parametrize(("prompt", "action"), CASES, ids=map(str, range(len(CASES))))
def test_decide(prompt: str, action: Action) -> None:
    """The strictest finding decides; outside of spans, findings only flag."""
    findings = found(prompt)
    assert decide(POLICY, findings) is action
    assert all(prompt[f.start : f.end] == f.text for f in findings)


def test_block() -> None:
    """A finding of a blocking rule blocks, whatever else is found."""
    term = next(e.term for e in POLICY.terms if e.rule.startswith("violence.incitement#"))
    prompt = f'"IDIOT" and "{term}"'
    assert decide(POLICY, found(prompt)) is Action.BLOCK


def test_everywhere() -> None:
    """A rule that matches everywhere blocks outside of spans too."""
    term = next(e.term for e in POLICY.terms if e.everywhere)
    assert decide(POLICY, found(term)) is Action.BLOCK


def test_scores() -> None:
    """A score at its threshold is a finding over the span, one below is none."""
    prompt = '"RIVER"'
    minimum = POLICY.detoxify["insult"].threshold
    (finding,) = found(prompt, {"insult": minimum, "threat": 0.0})
    assert (finding.rule, finding.source, finding.text) == ("detoxify.insult", "detoxify", "RIVER")
    assert found(prompt, {"insult": minimum - 0.01}) == ()


def test_allowed_name_outweighs_scores() -> None:
    """A span that is an allowed term is none of the classifier's business."""
    assert found('"Scunthorpe"', {"insult": 1.0}) == ()


@pytest.mark.parametrize(
    "scores", [[], [{}], [{"insult": float("nan")}], [{"insult": 2.0}], [{"other": 0.1}]]
)
def test_impossible_scores(scores: list[dict[str, float]]) -> None:
    """Scores that cannot be those of the spans are an error, never "clean"."""
    with pytest.raises(ClassifierError):
        find_with_context(POLICY, PromptTexts.of_prompt(POLICY, '"HELLO"'), scores)
