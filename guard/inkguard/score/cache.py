"""Scores that are known already are not asked for again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

from inkguard.fork import ForkSafeLock

__all__ = ["CachedScorer", "Scorer"]

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
        self._scorer, self._size = scorer, size
        self._known: OrderedDict[str, dict[str, float]] = OrderedDict()
        self._lock = ForkSafeLock()

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Per text a score in 0..1 for each label; raises ClassifierError as the other one does."""
        keys = [" ".join(text.split()) for text in texts]
        found: dict[str, dict[str, float]] = {}
        with self._lock:
            for key in keys:
                if key in self._known:
                    self._known.move_to_end(key)
                    found[key] = self._known[key]
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        if missing:
            new = dict(zip(missing, self._scorer.scores(missing), strict=True))
            found |= new
            with self._lock:
                self._known |= new
                while len(self._known) > self._size:
                    self._known.popitem(last=False)
        return [dict(found[key]) for key in keys]
