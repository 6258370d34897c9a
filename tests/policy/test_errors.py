"""What happens when a stage fails, and in shadow mode."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from inkguard.check import checker, prompt_texts
from inkguard.check.checker import Checker
from inkguard.errors import ClassifierError
from inkguard.types import Action

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from tests.policy.conftest import Author

SIGN = 'a sign that says "IDIOT"'
DETOXIFY = (
    "detoxify:\n  insult: {threshold: 0.5, category: insult, severity: mild, action: block}\n"
)


class Broken:
    """A classifier that fails on long texts, with a message that quotes them."""

    def __init__(self, kind: type[Exception] = ClassifierError) -> None:
        self.kind = kind

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        if any(len(text) > 3 for text in texts):
            raise self.kind(texts[0])
        return [{"insult": 0.0} for _ in texts]


def fail(*_: object) -> None:
    raise RuntimeError(SIGN)


@pytest.mark.parametrize("action", ["allow", "flag", "block"])
def test_a_failing_classifier(author: Author, action: str) -> None:
    """The policy's action for that stage, with the reason and without findings."""
    text = f"{DETOXIFY}on_error: {{classifier: {action}}}\n"
    decision = author.check(text, SIGN, Broken())
    assert (str(decision.action), decision.reason) == (action, "classifier_error")
    assert [span.text for span in decision.spans] == ["IDIOT"]
    assert author.check(text, SIGN, Broken(ValueError)) == decision


@pytest.mark.parametrize(
    ("stage", "module", "name"),
    [("extract", prompt_texts, "extract"), ("lists", checker, "find_with_context")],
)
def test_other_stages(
    author: Author,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    stage: str,
    module: ModuleType,
    name: str,
) -> None:
    """Each has its own action, block unless said; what is logged does not quote the prompt."""
    strict, mild = author.load(), author.load(f"on_error: {{{stage}: flag}}\n")
    monkeypatch.setattr(module, name, fail)
    with caplog.at_level(logging.ERROR):
        assert Checker(strict, None).check(SIGN).action is Action.BLOCK
    decision = Checker(mild, None).check(SIGN)
    assert (decision.action, decision.reason) == (Action.FLAG, f"{stage}_error")
    assert f"{stage} failed: RuntimeError" in caplog.text
    assert "IDIOT" not in caplog.text


def test_impossible_scores_are_the_classifiers(author: Author) -> None:
    """Not the word lists', though they are read after."""

    class Wrong:
        def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
            return [{"insult": 7.0} for _ in texts]

    text = f"{DETOXIFY}on_error: {{classifier: flag}}\n"
    assert author.check(text, SIGN, Wrong()).reason == "classifier_error"


def test_one_prompt_does_not_fail_its_neighbours(author: Author) -> None:
    """In a batch, only the prompt that the classifier fails on is decided by `on_error`."""
    built = Checker(author.load(DETOXIFY), Broken())
    reasons = [d.reason for d in built.check_many(['"HI"', SIGN, "a cat"])]
    assert reasons == ["clean", "classifier_error", "clean"]


def test_text_from_a_picture(author: Author) -> None:
    """Where it cannot be judged, `on_error` for verify says what it is taken for."""
    built = Checker(author.load(DETOXIFY), Broken())
    assert built.check_reading("HELLO") is Action.BLOCK
    built = Checker(author.load(DETOXIFY + "on_error: {verify: allow}\n"), Broken())
    assert built.check_reading("HELLO") is Action.ALLOW


@pytest.mark.parametrize(
    ("list_action", "action", "reason"),
    [
        ("substitute", "flag", "shadow_substitute"),
        ("block", "flag", "shadow_block"),
        ("flag", "flag", "findings"),
        ("allow", "allow", "findings"),
    ],
)
def test_shadow(author: Author, list_action: str, action: str, reason: str) -> None:
    """What would change the picture only flags; findings and reason say what would have been done."""
    text = f"mode: shadow\nrules:\n  - {{name: r, when: {{}}, action: {list_action}}}\n"
    decision = author.check(text, SIGN)
    assert (str(decision.action), decision.reason) == (action, reason)
    assert decision.donor_prompt is None
    assert [str(f.action) for f in decision.findings] == [list_action]
    assert author.check(text, "a cat").reason == "clean"


def test_shadow_of_an_error(author: Author) -> None:
    """An error does not stop a picture in shadow mode either, and is told."""
    decision = author.check("mode: shadow\n" + DETOXIFY, SIGN, Broken())
    assert (decision.action, decision.reason) == (Action.FLAG, "shadow_block")
