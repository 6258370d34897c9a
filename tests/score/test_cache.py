from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from inkguard.errors import ClassifierError
from inkguard.score.cache import CachedScorer
from inkguard.score.detoxify import ToxicityClassifier

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
