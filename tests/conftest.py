"""Shared fixtures: the real embedded models, loaded once."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable

os.environ["HF_HUB_OFFLINE"] = "1"

import pytest
import torch

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.guard import Guard

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))


@pytest.fixture(scope="session")
def guard() -> Guard:
    """The default model under the default policy, with the real classifier and OCR."""
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
