"""The verdict with a real policy's findings, donor prompt and own check."""

from __future__ import annotations

from pathlib import Path

import pytest

from inkguard.check.checker import Checker
from inkguard.extract import extract
from inkguard.policy.load import load_policy
from inkguard.types import Action
from inkguard.verify import is_toxic

POLICY = """
apiVersion: inkguard/v1
name: small
version: "1"
categories: {insult: Demeaning words for a person}
wordlists:
  - category: insult
    rules:
      mild: {severity: mild, action: substitute, terms: [idiot, nitwit, ass]}
      told: {severity: mild, action: flag, terms: [dunce]}
replacements:
  words: {3: [sun, tea], 4: [moon], 5: [apple, cloud], 6: [garden], 7: [morning]}
  phrases: [look up]
"""
LET = """
exceptions:
  - {name: t, owner: a@example.com, reason: stage, expires: 2099-06-30, text: The Idiot}
"""
PROMPTS = [
    ('a poster: "DUNCE OF THE YEAR", a mug: "MY IDIOT MUG"', ""),
    ('a poster that says "THE IDIOT" beside a mug that says "NITWIT"', LET),
    ('a cafe sign that says "ASS PASTA"', ""),
    ('a sign that says "ASS, EASY AS PIE"', ""),
]


@pytest.mark.parametrize(("prompt", "more"), PROMPTS)
def test_a_perfect_substitution_is_clean_and_the_prompts_own_text_is_not(
    prompt: str, more: str, tmp_path: Path
) -> None:
    """What the policy lets be drawn blocks no picture; what it removed does, also in one piece of two."""
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY + more)
    checker = Checker(load_policy(path), None)
    decision = checker.check(prompt)
    assert decision.action is Action.SUBSTITUTE
    assert decision.donor_prompt is not None
    expected = " ".join(span.text for span in extract(decision.donor_prompt))
    own = " ".join(span.text for span in decision.spans)
    removed = [f.text for f in decision.findings if f.action >= Action.SUBSTITUTE]
    assert not is_toxic(expected, removed, checker.check_reading, expected=expected)
    assert is_toxic(own, removed, checker.check_reading, expected=expected)
    assert is_toxic(f"{expected} {removed[0]}", removed, checker.check_reading, expected=expected)
