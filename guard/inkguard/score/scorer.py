"""What the guard asks of a classifier, and a cache of its answers. Loads no classifier by itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from cachetools import LRUCache

from inkguard.extras import needs_extra
from inkguard.fork import ForkSafeLock

__all__ = ["CachedScorer", "Scorer", "load_scorer"]

SIZE = 10_000


class Scorer(Protocol):
    """A classifier with Detoxify's labels."""

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Per text a score in 0..1 for each label; raises ClassifierError."""


class CachedScorer:
    """A scorer with the last `size` answers of another one; safe to share between threads.

    White space is made one space before a text is looked up and scored, so that one key has one
    answer. Failures are not kept. Texts stay in this process's memory and go nowhere else.
    """

    def __init__(self, scorer: Scorer, size: int = SIZE) -> None:
        self._scorer = scorer
        self._known: LRUCache[str, dict[str, float]] = LRUCache(size)
        self._lock = ForkSafeLock()
        self._process = os.getpid()

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Per text a score in 0..1 for each label; raises ClassifierError as the other one does."""
        keys = [" ".join(text.split()) for text in texts]
        with self._lock:
            self._forget_after_fork()
            found = {key: self._known[key] for key in dict.fromkeys(keys) if key in self._known}
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        if missing:
            new = dict(zip(missing, self._scorer.scores(missing), strict=True))
            found |= new
            with self._lock:
                self._known.update(new)
        return [dict(found[key]) for key in keys]

    def _forget_after_fork(self) -> None:
        # A thread of the parent may have been in the middle of changing the cache, which takes
        # several steps. The child starts with an empty one.
        if self._process != os.getpid():
            if self._lock.left_held():
                self._known = LRUCache(self._known.maxsize)
            self._process = os.getpid()


def load_scorer() -> Scorer:
    """The embedded classifier behind a cache.

    Its libraries are imported here, and nowhere in a check by word lists alone. Raises MissingExtra
    where they are not installed, and ModelError where the model's files are missing.
    """
    instead = "check with the word lists alone (--lists-only, or a policy without `detoxify`)"
    with needs_extra("classifier", "the policy asks the toxicity classifier, which", instead):
        from inkguard.score.detoxify import ToxicityClassifier
    return CachedScorer(ToxicityClassifier.load())
