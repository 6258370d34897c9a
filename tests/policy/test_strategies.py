from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from inkguard.check.checker import load_checker
from inkguard.types import Action

if TYPE_CHECKING:
    from tests.policy.conftest import Author

WORDS = "words: {2: [we], 3: [sun], 5: [apple, odeon, river]}\nphrases: [look up]\n"
CASES = [
    ("same_length}", '"IDIOT" sign', r'"[A-Z]{5}" sign'),
    ("same_length, words: [cloud]}", '"Idiot"', '"Cloud"'),
    ("same_length, words: [cloud]}", '"I D I O T"', '"C L O U D"'),
    ("fixed, words: [be kind]}", '"YOU IDIOT!"', '"YOU BE KIND!"'),
    ("fixed, words: [be kind, smile]}", '"SHUT UP"', '"(BE KIND|SMILE)"'),
    ("mask, glyph: '#'}", '"YOU IDIOT!"', '"YOU #####!"'),
    ("mask}", '"shut up"', r'"\*\*\*\* \*\*"'),
    ("mask}", '"i-d-i-o-t"', r'"\*-\*-\*-\*-\*"'),
    ("mask}", '"IDI" and "OT"', r'"\*\*\*" and "\*\*"'),
    ("blank}", 'a sign that says "YOU IDIOT!" on it', 'a sign that says "" on it'),
    ("blank}", "a sign saying IDIOT in red", "a sign saying in red"),
    ("blank}", '"IDI" and "OT"', '"" and ""'),
    ("look_alike}", '"IDIOT"', '"ODEON"'),
    ("look_alike, words: [ideal]}", '"idiot"', '"ideal"'),
    ("look_alike, words: [idiom]}", '"IDIOT"', '"ODEON"'),
]


@pytest.mark.parametrize(("use", "prompt", "shape"), CASES, ids=map(str, range(len(CASES))))
def test_strategies(author: Author, use: str, prompt: str, shape: str) -> None:
    """Each strategy gives its kind of text, in the old one's case and separators, and it is clean."""
    author.write("replacements.yaml", f"{WORDS}strategy: {{use: {use}\n")
    decision = author.check("", prompt)
    assert decision.action is Action.SUBSTITUTE, decision.reason
    assert re.fullmatch(shape, decision.donor_prompt), decision.donor_prompt
    assert author.check("", prompt) == decision


def test_strategies_of_categories(author: Author) -> None:
    """A category's own strategy is for its findings, the policy's for the others."""
    author.write("replacements.yaml", WORDS + "categories: {slur: {use: mask}}\n")
    author.write(
        "slurs.yaml",
        "category: slur\nrules:\n  a: {severity: severe, action: substitute, terms: [badword]}\n",
    )
    path = author.folder / "policy.yaml"
    path.write_text(path.read_text().replace("[words.yaml]", "[words.yaml, slurs.yaml]"))
    donor = load_checker(path).check('"BADWORD" over "AN IDIOT"').donor_prompt
    assert donor is not None
    assert re.fullmatch(r'"\*{7}" over "AN [A-Z]{5}"', donor)
