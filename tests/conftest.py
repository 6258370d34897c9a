"""Shared fixtures: the real embedded models, loaded once."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import pytest
import torch

from guard.guard import Guard
from guard.wrap import GuardedPipeline

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))


@pytest.fixture(scope="session")
def guard() -> Guard:
    """The default model under the default policy, with the real classifier and OCR."""
    return Guard.load()


@pytest.fixture(scope="session")
def guarded(guard: Guard) -> GuardedPipeline:
    """The wrapped pipeline inside `guard`."""
    return guard.pipeline
