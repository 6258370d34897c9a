"""Shared fixtures: the real embedded models, loaded once. Tests of what needs no torch start without it."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from inkguard import Guard, GuardedPipeline

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "2")  # read by torch when it is imported


@pytest.fixture(scope="session")
def guard() -> Guard:
    """The default model under the default policy, with the real classifier and OCR."""
    from inkguard import Guard

    return Guard.load()


@pytest.fixture(scope="session")
def seconds() -> Callable[[Callable[[], object]], float]:
    """The least processor time of three calls, in this thread alone.

    Other tests' threads and the collection of their garbage are kept out of it.
    """

    def least(call: Callable[[], object]) -> float:
        times = []
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                start = time.thread_time()
                call()
                times.append(time.thread_time() - start)
        finally:
            gc.enable()
        return min(times)

    return least


@pytest.fixture(scope="session")
def guarded(guard: Guard) -> GuardedPipeline:
    """The wrapped pipeline inside `guard`."""
    return guard.pipeline
