"""Answers that are kept, and the classifier that is loaded only where it is wanted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from inkguard.errors import ClassifierError
from inkguard.score.detoxify import ToxicityClassifier
from inkguard.score.scorer import CachedScorer

TEXTS = ["HELLO WORLD", "you are an idiot", "HELLO  WORLD", "open"]


class Counted:
    """The embedded classifier, with a count of what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails = False
        self._real = ToxicityClassifier.load()

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        if self.fails:
            raise ClassifierError("the classifier failed")
        self.asked += texts
        return self._real.scores(texts)


@pytest.fixture
def counted() -> Counted:
    return Counted()


def test_each_text_is_scored_once(counted: Counted) -> None:
    """The same text, however it is spaced, is asked for once, and answers stay in their order."""
    cached = CachedScorer(counted)
    first = cached.scores(TEXTS)
    assert cached.scores(TEXTS[::-1]) == first[::-1]
    assert counted.asked == ["HELLO WORLD", "you are an idiot", "open"]
    assert first[1]["insult"] > first[3]["insult"]


def test_the_cache_is_bounded(counted: Counted) -> None:
    """What was not asked for longest is forgotten first."""
    cached = CachedScorer(counted, size=2)
    cached.scores(["one", "two"])
    cached.scores(["one"])
    cached.scores(["three"])
    cached.scores(["one", "two"])
    assert counted.asked == ["one", "two", "three", "two"]


def test_an_answer_is_the_callers_own(counted: Counted) -> None:
    """Changing an answer changes no later one."""
    cached = CachedScorer(counted)
    cached.scores(["one"])[0]["insult"] = 2.0
    assert cached.scores(["one"])[0]["insult"] <= 1


def test_failures_are_not_kept(counted: Counted) -> None:
    """After a failure the text is asked for again."""
    cached = CachedScorer(counted)
    counted.fails = True
    with pytest.raises(ClassifierError):
        cached.scores(["one"])
    counted.fails = False
    assert cached.scores(["one"])


def test_threads_share_it(counted: Counted) -> None:
    """Many threads get the answers that one gets."""
    cached = CachedScorer(counted, size=3)
    alone = counted.scores(["one", "two", "three", "four"])
    with ThreadPoolExecutor(4) as pool:
        for answer in pool.map(lambda _: cached.scores(["one", "two", "three", "four"]), range(20)):
            for got, expected in zip(answer, alone, strict=True):
                assert got == pytest.approx(expected, abs=1e-5)


class Plain:
    """A scorer without torch, which a forked child may use, with a count of its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        self.calls += 1
        return [{"insult": 0.5} for _ in texts]


def test_a_fork_in_the_middle_of_a_change_leaves_no_broken_cache() -> None:
    """A child whose parent was changing the cache asks again; any other child knows the answers."""
    plain = Plain()
    cached = CachedScorer(plain)
    cached.scores(["one"])

    def calls_in_a_child() -> int:
        child = os.fork()
        if child == 0:
            cached.scores(["one"])
            os._exit(plain.calls)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert calls_in_a_child() == 1
    with cached._lock:  # as a thread of the parent does while it changes the cache
        assert calls_in_a_child() == 2
    assert calls_in_a_child() == 1


def test_without_its_libraries_the_error_names_the_extra() -> None:
    """Word lists alone need neither torch nor detoxify; a policy with the classifier says what to install."""
    program = """
import sys
sys.modules["detoxify"] = None  # as where it is not installed
from inkguard.check.checker import Checker, load_checker
from inkguard.errors import ModelError
from inkguard.policy.load import load_policy
assert str(Checker(load_policy(), None).check('a sign "IDIOT"').action) == "substitute"
assert "torch" not in sys.modules
try:
    load_checker()
except ModelError as error:
    print(error)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "needs detoxify: pip install 'inkguard[classifier]'" in ran.stdout, ran.stderr
