"""Seconds per stage of a request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from inkguard.frozen import FrozenDict

__all__ = ["STAGES", "Stages"]

STAGES = ("extract", "classify", "encode", "denoise", "decode", "verify")
"""Every stage, in the order in which a request goes through them."""


class Stages:
    """A stopwatch with one dial for each stage, from `seconds` on; a stage that is entered again adds up."""

    def __init__(
        self,
        seconds: Mapping[str, float] = FrozenDict(),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._clock = clock
        self.seconds: dict[str, float] = dict(seconds)

    def add(self, stage: str, seconds: float) -> None:
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def now(self) -> float:
        return self._clock()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a `with` block, also one that raises."""
        began = self._clock()
        try:
            yield
        finally:
            self.add(stage, self._clock() - began)
