"""Findings of word lists in the text to be drawn, as it stands and as it may be read."""

from __future__ import annotations

import pytest

from inkguard.check.findings import find_with_context
from inkguard.check.prompt_texts import PromptTexts
from inkguard.policy.apply import decide
from inkguard.policy.load import load_policy
from inkguard.types import Action, Finding

POLICY = load_policy()
PIECES = [
    ('"IDI" on the left and "OT" on the right', ["IDI", "OT"]),
    ("IDI on the left and OT on the right", ["IDI", "OT"]),
    ('"OT" on the right and "IDI" on the left', ["OT", "IDI"]),
    ('"ID" then "I" then "OT"', ["ID", "I", "OT"]),
    ('a cake that says "IDI\nOT"', ["IDI\nOT"]),
    ("the letters I, D, I, O and T", ["I, D, I, O", "T"]),
    ("a sign that says ID(IO:1.3)T", ["ID(IO:1.3)T"]),
    ('"SHUT U" over "P"', ["SHUT U", "P"]),
]
HARMLESS = [
    '"THE PEN\nIS MIGHTIER"',
    '"A PEN" and "IS RED"',
    '"USE\nLESS PAPER"',
    '"HEROES\nIN TRAINING", "HERO\nIN ALL OF US"',
    '"AN" and "US"',
    '"HEARTS" on the left and "HITS" on the right',
    '"STATS" and "SPIN" and "POW" and "BOY" and "LANA" and "RAIL"',
    '"DRAGGING" and "WAGGING" and "BAGGINS"',
    "a cat, HDR, 8K, DSLR, UHD, NASA, RAW, octane, UE5, (masterpiece:1.2)",
    "vitamins A, B, C, D and E",
    "a mirror selfie of a woman in a red dress",
    'a mirror with "STOP" on it',
    "A RED CAT SITS ON A BLUE MAT NEXT TO A DOG",
]


def found(prompt: str) -> tuple[Finding, ...]:
    return find_with_context(POLICY, PromptTexts.of_prompt(POLICY, prompt), None).findings


@pytest.mark.parametrize(("prompt", "texts"), PIECES)
def test_a_word_in_pieces_is_found_in_each_piece(prompt: str, texts: list[str]) -> None:
    """One finding for the part in each span, in offsets of the prompt."""
    findings = found(prompt)
    assert [f.text for f in findings] == texts
    assert {f.source for f in findings} == {"joined"}
    assert all(prompt[f.start : f.end] == f.text for f in findings)
    assert decide(POLICY, findings) is Action.SUBSTITUTE


@pytest.mark.parametrize("prompt", ['"TOIDI"', 'mirrored text "TOIDI"', "a shirt that says TOIDI"])
def test_a_reversed_word_is_found(prompt: str) -> None:
    """Whether or not the prompt says that it is reversed."""
    assert [(f.text, f.source) for f in found(prompt)] == [("TOIDI", "reversed")]


def test_a_word_as_it_stands_is_found_once() -> None:
    """Other readings repeat nothing."""
    assert [(f.text, f.source) for f in found('"IDIOT" and "HELLO"')] == [("IDIOT", "wordlist")]


@pytest.mark.parametrize("prompt", HARMLESS)
def test_plain_words_are_no_disguise(prompt: str) -> None:
    """Words that only happen to read as something else are left alone."""
    assert found(prompt) == ()


def test_scene_words_are_not_joined() -> None:
    """What is not to be drawn has no other readings."""
    assert found("a toidi in an open field") == ()
