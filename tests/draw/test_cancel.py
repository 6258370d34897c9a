"""Stopping a pipeline between two steps, in every family."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.errors import Cancelled
from inkguard.families.registry import adapter_for
from inkguard.guard import Guard
from inkguard.types import Rung
from tests.families.calls import HARMLESS, TOXIC, call, manifest, plain, snapshot
from tests.families.pipelines import FAMILIES


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The nets are so small that a second thread only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class _Listener:
    """Counts a pipeline's denoiser calls and what makes pictures of its latents."""

    def __init__(self, pipe: Any, patch: pytest.MonkeyPatch) -> None:
        self.denoised = self.decoded = 0
        adapter_for(pipe).denoiser(pipe).register_forward_hook(self._denoise)
        # IF draws pixels: its safety checker is the first to see them.
        owner, name = (pipe.vae, "decode") if hasattr(pipe, "vae") else (pipe, "run_safety_checker")
        original = getattr(owner, name)

        def decode(*args: Any, **more: Any) -> Any:
            self.decoded += 1
            return original(*args, **more)

        patch.setattr(owner, name, decode)

    def _denoise(self, *_: Any) -> None:
        self.denoised += 1


@pytest.mark.parametrize("family", FAMILIES)
def test_stopping_ends_the_call_within_the_step(
    guard: Guard, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    """Nothing more is denoised and nothing decoded, and the model is as before; also at the last step."""
    pipe = FAMILIES[family]()
    wrapped = GuardedPipeline(pipe, guard.checker, manifest=manifest(pipe, (1,)), reader=None)
    listener = _Listener(pipe, monkeypatch)
    arguments = call(pipe, [HARMLESS, TOXIC])
    picture, before = plain(pipe, arguments), snapshot(pipe)
    assert listener.decoded == 1
    each_step = listener.denoised // arguments["num_inference_steps"]

    for after in (1, 3):
        listener.denoised = listener.decoded = 0
        steps: list[tuple[int, int]] = []
        with pytest.raises(Cancelled):
            wrapped.draw(arguments, on_step=partial(_stop, steps, after))
        assert steps == [(n, 3) for n in range(1, after + 1)]
        assert listener.denoised == after * each_step
        assert listener.decoded == 0
        assert snapshot(pipe) == before
        assert "progress_bar" not in vars(pipe)
    assert np.array_equal(plain(pipe, arguments), picture)
    assert wrapped.draw(arguments).rungs == [Rung.UNGUARDED, Rung.SITES]


def _stop(steps: list[tuple[int, int]], after: int, done: int, total: int) -> None:
    steps.append((done, total))
    if done == after:
        raise Cancelled("stopped by the test")
