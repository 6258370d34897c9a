from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkguard.check.donor import donor_prompt
from inkguard.check.findings import find_with_context
from inkguard.check.prompt_texts import PromptTexts
from inkguard.policy.apply import decide
from inkguard.policy.load import load_policy
from inkguard.types import Action, Finding

POLICY = load_policy()
SHAPES = [
    ("IDIOT", r"[A-Z]{5}"),
    ("idiot", r"[a-z]{5}"),
    ("Loser", r"[A-Z][a-z]{4}"),
    ("IDIOTS", r"[A-Z]{6}"),
    ("SHUT UP", r"[A-Z]{4} [A-Z]{2}"),
    ("I D I O T", r"[A-Z]( [A-Z]){4}"),
    ("I.D.I.O.T", r"[A-Z](\.[A-Z]){4}"),
    ("1D10T", r"[A-Z]{5}"),
    ("YOU LOSER!", r"YOU [A-Z]{5}!"),
    ("I\u0336D\u0336I\u0336O\u0336T\u0336", r"[A-Z]{5}"),
]


def found(prompt: str, *scores: dict[str, float]) -> tuple[Finding, ...]:
    return find_with_context(POLICY, PromptTexts.of_prompt(POLICY, prompt), scores or None).findings


def donor(prompt: str, *scores: dict[str, float], whole_spans: bool = False) -> str:
    texts = PromptTexts.of_prompt(POLICY, prompt)
    return donor_prompt(POLICY, texts, found(prompt, *scores), whole_spans=whole_spans)


@pytest.mark.parametrize(("text", "shape"), SHAPES, ids=map(str, range(len(SHAPES))))
def test_shape(text: str, shape: str) -> None:
    """The donor's text has the shape and case of the old one; the rest of the prompt stays."""
    prompt = f'a red sign that says "{text}" on a wall'
    new = donor(prompt)
    assert re.fullmatch(f'a red sign that says "{shape}" on a wall', new)
    assert text not in new
    assert donor(prompt) == new
    assert decide(POLICY, found(new)) is Action.ALLOW


def test_word_split_over_spans() -> None:
    """Both parts of a split word are replaced."""
    assert re.fullmatch(r'"(?!IDI)[A-Z]{3}" and "(?!OT)[A-Z]{2}"', donor('"IDI" and "OT"'))


@pytest.mark.parametrize(
    ("prompt", "shape"),
    [
        ("the letters I, D, I, O and T", r"the letters (\w), (\w), (\w), (\w) and (\w)"),
        ('"I" "D" "I" "O" "T"', r'"(\w)" "(\w)" "(\w)" "(\w)" "(\w)"'),
        ('"idi" over "ot"', r'"(\w{3})" over "(\w{2})"'),
        ('"IDI\nOT"', r'"(\w{3})\n(\w{2})"'),
        ("says (IDI:1.2)(OT:1.1)", r"says \((\w{5}):1.1\)"),
    ],
)
def test_one_word_is_laid_over_all_pieces(prompt: str, shape: str) -> None:
    """The pieces of a word become the pieces of one harmless word."""
    match = re.fullmatch(shape, donor(prompt))
    assert match
    assert "".join(match.groups()).lower() in POLICY.replacements.words[5]


def test_classifier_only() -> None:
    """Where only the classifier objects, each word of the span is replaced."""
    prompt = '"HELLO YOU" and "SKY"'
    new = donor(prompt, {"insult": 0.99}, {"insult": 0.0}, {"insult": 0.0})
    assert re.fullmatch(r'"[A-Z]{5} [A-Z]{3}" and "SKY"', new)
    assert new != prompt


def test_whole_spans() -> None:
    """On demand, everything around a toxic word goes too."""
    new = donor('"YOU ARE A LOSER"', whole_spans=True)
    assert not set(new.strip('"').split()) & {"YOU", "ARE", "LOSER"}


def test_nothing_to_do() -> None:
    """Without findings the prompt stays as it is."""
    assert donor('"HELLO"') == '"HELLO"'


@given(st.sampled_from(POLICY.terms), st.sampled_from([str.upper, str.lower, str.title]))
def test_every_term_has_a_clean_donor(entry: object, case: object) -> None:
    """Each term that is to be substituted has a donor that the word lists allow."""
    prompt = f'a sign that says "{case(entry.term)}"'  # type: ignore[attr-defined, operator]
    if decide(POLICY, found(prompt)) is Action.SUBSTITUTE:
        assert decide(POLICY, found(donor(prompt))) is Action.ALLOW
