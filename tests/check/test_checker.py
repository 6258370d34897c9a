"""Decisions: lists, classifier, donors, and what happens when something fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from inkguard.check.checker import Checker, load_checker
from inkguard.errors import ClassifierError, InvalidInput
from inkguard.policy.load import load_policy
from inkguard.types import MAX_PROMPT, Action

TOXIC = 'a red sign that says "IDIOT" on a blue background'


class Calm:
    """A classifier to which nothing is toxic."""

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        return [{"toxicity": 0.0} for _ in texts]


class Broken:
    """A classifier that always fails."""

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        raise ClassifierError("the classifier is down")


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker(load_policy(), Calm())


def test_a_toxic_word_is_substituted_by_one_of_its_length(checker: Checker) -> None:
    """The donor prompt is the same but for the word, which keeps its place and length."""
    decision = checker.check(TOXIC)
    assert decision.action is Action.SUBSTITUTE
    assert decision.donor_prompt is not None
    finding = decision.findings[0]
    assert TOXIC[finding.start : finding.end] == finding.text == "IDIOT"
    assert decision.donor_prompt[: finding.start] == TOXIC[: finding.start]
    assert decision.donor_prompt[finding.end :] == TOXIC[finding.end :]
    assert "IDIOT" not in decision.donor_prompt


def test_the_donor_prompt_is_itself_allowed(checker: Checker) -> None:
    """Checking a donor prompt again finds nothing."""
    donor = checker.check(TOXIC).donor_prompt
    assert donor is not None
    assert checker.check(donor).action is Action.ALLOW


def test_a_harmless_prompt_is_allowed(checker: Checker) -> None:
    """Nothing is found in it, and it has no donor prompt."""
    decision = checker.check('a sign that says "WELCOME TO SCUNTHORPE"')
    assert (decision.action, decision.findings, decision.donor_prompt) == (Action.ALLOW, (), None)


def test_a_failing_classifier_blocks_by_default() -> None:
    """An error never means allow."""
    decision = Checker(load_policy(), Broken()).check('a sign that says "HELLO"')
    assert decision.action is Action.BLOCK
    assert decision.reason == "classifier_error"


def test_many_prompts_are_decided_like_each_alone(checker: Checker) -> None:
    """Batching changes no decision."""
    prompts = [TOXIC, "a cat", 'a sign that says "HELLO"', ""]
    assert checker.check_many(prompts) == [checker.check(p) for p in prompts]


def test_a_prompt_that_is_too_long_is_refused(checker: Checker) -> None:
    """The error names the limit and the length."""
    with pytest.raises(
        InvalidInput, match=f"at most {MAX_PROMPT} code points, got {MAX_PROMPT + 1}"
    ):
        checker.check("a" * (MAX_PROMPT + 1))


@pytest.mark.parametrize(
    "prompt",
    ['"IDI" and "OT"', "the letters I, D, I, O, T", '"TOIDI"', '"IDI\nOT"', '"TO" and "IDI"'],
)
def test_a_donor_is_read_in_all_ways(checker: Checker, prompt: str) -> None:
    """Words in pieces and in reverse are substituted, and nothing is left to be read."""
    decision = checker.check(prompt)
    assert decision.action is Action.SUBSTITUTE
    assert decision.donor_prompt is not None
    assert checker.check(decision.donor_prompt).findings == ()


def test_a_donor_that_reads_toxic_in_reverse_is_refused(checker: Checker) -> None:
    """Where every replacement spells something in reverse, the prompt is blocked."""
    words = {len(word): (word,) for word in ("toidi", "toi")}
    harmful = replace(checker.policy.replacements, words=words, phrases={})
    policy = replace(checker.policy, replacements=harmful)
    decision = Checker(policy, Calm()).check(TOXIC)
    assert (decision.action, decision.reason) == (Action.BLOCK, "donor_rejected")


def test_text_read_from_a_picture_is_judged_like_a_span(checker: Checker) -> None:
    """Quote marks and line ends in what OCR reads cannot hide a word from the check."""
    assert checker.check_reading('ID"IOT IDIOT') is Action.SUBSTITUTE
    assert checker.check_reading("HELLO") is Action.ALLOW
    assert checker.check_reading("") is Action.ALLOW


def test_a_span_that_is_only_flagged_stays(tmp_path: Path) -> None:
    """It is drawn as the policy says, and does not keep the other one from being replaced."""
    (tmp_path / "words.yaml").write_text(
        "category: insult\nrules:\n"
        "  bad: {severity: mild, action: substitute, terms: [idiot]}\n"
        "  light: {severity: mild, action: flag, terms: [rascal]}\n"
    )
    (tmp_path / "policy.yaml").write_text(
        "apiVersion: inkguard/v1\nname: small\nversion: '1'\ncategories: {insult: rude}\n"
        "wordlists: [words.yaml]\nreplacements: {words: {5: [apple]}}\nverify: false\n"
    )
    checker = load_checker(tmp_path / "policy.yaml")
    decision = checker.check('a sign "IDIOT" on a wall, and far from it a flag with "THE RASCAL"')
    assert decision.action is Action.SUBSTITUTE
    assert (
        decision.donor_prompt
        == 'a sign "APPLE" on a wall, and far from it a flag with "THE RASCAL"'
    )
