"""What the classifier reads beside single spans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from inkguard.check.checker import Checker
from inkguard.check.findings import find_with_context
from inkguard.check.prompt_texts import PromptTexts
from inkguard.policy.load import load_policy
from inkguard.policy.model import Policy, WholePrompt
from inkguard.types import Action

POLICY = load_policy()
TWO = 'a door with "GO ON" above "AND LEAVE"'


def reading(classifier: bool, strictest: Action = Action.FLAG) -> Policy:
    return replace(POLICY, whole_prompt=WholePrompt(classifier=classifier, strictest=strictest))


class Told:
    """A scorer that objects to one text alone."""

    def __init__(self, bad: str) -> None:
        self.bad, self.calls = bad, list[list[str]]()

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        self.calls.append(list(texts))
        return [{"insult": 0.99 * (text == self.bad)} for text in texts]


@pytest.mark.parametrize("whole", [False, True])
def test_what_is_read(whole: bool) -> None:
    """Each span, all of them joined, and the prompt where the policy says so; in one call."""
    scorer = Told("nothing")
    assert Checker(reading(whole), scorer).check(TWO).action is Action.ALLOW
    assert scorer.calls == [["GO ON", "AND LEAVE", "GO ON AND LEAVE", *[TWO] * whole]]


def test_spans_that_are_bad_together() -> None:
    """Each of them is found and replaced, though the classifier objects to none by itself."""
    decision = Checker(POLICY, Told("GO ON AND LEAVE")).check(TWO)
    assert decision.action is Action.SUBSTITUTE
    assert [f.text for f in decision.findings] == ["GO ON", "AND LEAVE"]
    assert decision.donor_prompt is not None
    assert "LEAVE" not in decision.donor_prompt


def test_a_span_that_is_bad_alone_does_not_take_its_neighbours_along() -> None:
    """What is scored beside it for the same label finds nothing more."""
    texts = PromptTexts.of_prompt(POLICY, TWO)
    scores = [{"insult": 0.9}, {"insult": 0.1}, {"insult": 0.9}]
    (finding,) = find_with_context(POLICY, texts, scores).findings
    assert finding.text == "GO ON"


@pytest.mark.parametrize("strictest", [Action.FLAG, Action.BLOCK])
def test_the_whole_prompt_is_capped(strictest: Action) -> None:
    """As word lists are there: what is not drawn is no more than flagged, unless the policy says so."""
    policy = reading(True, strictest)
    decision = Checker(policy, Told("a sad scene")).check("a sad scene")
    # There is no text to be drawn that could be replaced.
    assert decision.action is strictest
    assert decision.findings[0].action is min(strictest, policy.detoxify["insult"].action)
    assert [f.source for f in decision.findings] == ["detoxify"]


def test_nothing_to_read() -> None:
    """No text to be drawn, nothing to score."""
    assert PromptTexts.of_prompt(POLICY, "a red circle").scoring_inputs == ()
    assert PromptTexts.of_prompt(reading(True), " ").scoring_inputs == ()
