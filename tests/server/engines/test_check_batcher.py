"""CheckBatcher of many callers in one thread, with the real checker and, where it must fail, a scorer that does."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from inkguard.check.checker import Checker, load_checker
from inkguard.errors import ClassifierError
from inkguard.types import Action
from inkguard_server.engines.check_batcher import CheckBatcher
from inkguard_server.errors import Stopping


@pytest.fixture
def checks() -> Iterator[CheckBatcher]:
    checks = CheckBatcher()
    yield checks
    checks.close()


@pytest.fixture(scope="module")
def checker() -> Checker:
    return load_checker()


class Scorer:
    """No text is toxic; fails for texts that hold `bad`; the first call waits to be let go."""

    def __init__(self, bad: str = "", error: type[Exception] = ClassifierError) -> None:
        self.bad, self.error = bad, error
        self.calls: list[list[str]] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        if texts:  # the donor prompts of none are none
            self.calls.append(list(texts))
        self.begun.set()
        assert self.go.wait(10)
        if self.bad and any(self.bad in text for text in texts):
            raise self.error("failed")
        return [{"toxicity": 0.0} for _ in texts]


def prompt(word: str) -> str:
    return f'a sign that says "{word}"'


def test_an_answer_is_the_checkers_own(checks: CheckBatcher, checker: Checker) -> None:
    """With the seconds that its stages took."""
    asked = [prompt("IDIOT"), prompt("HELLO"), "a red circle"]
    answers = [f.result(10) for f in [checks.submit(checker, p) for p in asked]]
    assert [a.decision for a in answers] == checker.check_many(asked)
    assert all(set(a.timings) == {"extract", "classify"} for a in answers)


def test_what_arrives_meanwhile_is_classified_in_one_call(
    checks: CheckBatcher, checker: Checker
) -> None:
    """A lone prompt does not wait; those that come during its check share the next call."""
    scorer = Scorer()
    mine = Checker(checker.policy, scorer)
    first = checks.submit(mine, prompt("ALONE"))
    assert scorer.begun.wait(10)
    rest = [checks.submit(mine, prompt(word)) for word in ("ONE", "TWO", "SIX")]
    scorer.go.set()
    assert all(f.result(10).decision.action is Action.ALLOW for f in [first, *rest])
    assert scorer.calls[:2] == [["ALONE"], ["ONE", "TWO", "SIX"]]


@pytest.mark.parametrize("error", [ClassifierError, RuntimeError])
def test_one_prompt_that_fails_does_not_fail_its_neighbours(
    checks: CheckBatcher, checker: Checker, error: type[Exception]
) -> None:
    """Whatever the classifier raises is an error of that stage, for that prompt alone."""
    scorer = Scorer("WORSE", error)
    mine = Checker(checker.policy, scorer)
    first = checks.submit(mine, prompt("ALONE"))
    assert scorer.begun.wait(10)
    batch = {word: checks.submit(mine, prompt(word)) for word in ("ONE", "WORSE", "SIX")}
    scorer.go.set()
    assert first.result(10).decision.action is Action.ALLOW
    for word in ("ONE", "SIX"):
        assert batch[word].result(10).decision.action is Action.ALLOW
    decision = batch["WORSE"].result(10).decision
    assert (decision.action, decision.reason) == (Action.BLOCK, "classifier_error")


def test_each_prompt_is_checked_under_its_own_policy(
    checks: CheckBatcher, checker: Checker
) -> None:
    """Also where they were asked for at the same time."""
    scorer = Scorer()
    blocking = Scorer("TEXT")
    blocking.go.set()
    held, other = Checker(checker.policy, scorer), Checker(checker.policy, blocking)
    first = checks.submit(held, prompt("ALONE"))
    assert scorer.begun.wait(10)
    answers = [checks.submit(c, prompt("TEXT")) for c in (held, other, held)]
    scorer.go.set()
    assert first.result(10).decision.action is Action.ALLOW
    actions = [f.result(10).decision.action for f in answers]
    assert actions == [Action.ALLOW, Action.BLOCK, Action.ALLOW]


def test_a_check_that_is_cancelled_in_time_is_not_made(
    checks: CheckBatcher, checker: Checker
) -> None:
    """Nobody waits for it."""
    scorer = Scorer()
    mine = Checker(checker.policy, scorer)
    first = checks.submit(mine, prompt("ALONE"))
    assert scorer.begun.wait(10)
    gone, stays = checks.submit(mine, prompt("GONE")), checks.submit(mine, prompt("STAYS"))
    assert gone.cancel()
    scorer.go.set()
    assert stays.result(10)
    assert first.done()
    assert scorer.calls == [["ALONE"], ["STAYS"]]


def test_closing_answers_what_was_asked(checker: Checker) -> None:
    """More than one batch of them."""
    checks = CheckBatcher()
    asked = [checks.submit(checker, f"a red circle, number {n}") for n in range(100)]
    checks.close()
    assert all(f.result(0).decision.action is Action.ALLOW for f in asked)


def test_nothing_is_taken_after_the_end(checker: Checker) -> None:
    """It would never be answered."""
    ended = CheckBatcher()
    ended.close()
    with pytest.raises(Stopping):
        ended.submit(checker, prompt("HELLO"))
