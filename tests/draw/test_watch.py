"""Following and stopping a real pipeline call."""

from __future__ import annotations

import numpy as np
import pytest

from inkguard.errors import Cancelled
from inkguard.guard import Guard
from inkguard.types import Request

TOXIC = 'a red sign that says "IDIOT" on a blue background with a yellow star'


class _Stop:
    """Raises Cancelled after a number of steps."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.steps: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.steps.append((done, total))
        if done == self.after:
            raise Cancelled("stopped by the test")


def test_every_step_is_reported_and_every_stage_timed(guard: Guard) -> None:
    """Steps count from 1 to all on each rung; the stages of a substituted picture all took time."""
    seen: list[tuple[int, int]] = []
    outcome = guard.generate(Request(prompt=TOXIC, steps=3), on_step=lambda *s: seen.append(s))
    assert seen[:3] == [(1, 3), (2, 3), (3, 3)]
    assert set(outcome.timings) == {
        "extract",
        "classify",
        "encode",
        "denoise",
        "decode",
        "verify",
    }
    assert all(seconds > 0 for seconds in outcome.timings.values())


@pytest.mark.parametrize("after", [1, 4])
def test_stopping_ends_within_the_step_and_decodes_nothing(
    guard: Guard, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Also at the very last step; the decoder is never called."""
    pipe = guard.pipeline._pipe
    decoded: list[object] = []
    original = pipe.vae.decode
    monkeypatch.setattr(pipe.vae, "decode", lambda *a, **k: decoded.append(a) or original(*a, **k))
    stop = _Stop(after)
    with pytest.raises(Cancelled):
        guard.generate(Request(prompt=TOXIC, steps=4), on_step=stop)
    assert len(stop.steps) == after
    assert not decoded


def test_the_call_after_a_stopped_one_is_unharmed(guard: Guard) -> None:
    """Same seed, same picture; nothing is left on the pipeline."""
    request = Request(prompt=TOXIC, seed=4, steps=3)
    before = guard.generate(request)
    attributes = set(vars(guard.pipeline._pipe))
    with pytest.raises(Cancelled):
        guard.generate(request, on_step=_Stop(2))
    assert set(vars(guard.pipeline._pipe)) == attributes
    after = guard.generate(request)
    assert len(before.images) == len(after.images)
    for a, b in zip(before.images, after.images, strict=True):
        assert np.array_equal(np.asarray(a), np.asarray(b))


def test_a_pipelines_own_progress_bar_is_put_back(guard: Guard) -> None:
    """Where the user has put a bar of their own on the pipeline, it runs and stays."""
    pipe = guard.pipeline._pipe
    calls: list[int] = []
    original = pipe.progress_bar

    def own(iterable: object = None, total: int | None = None) -> object:
        calls.append(total or 0)
        return original(iterable=iterable, total=total)

    pipe.progress_bar = own
    try:
        guard.generate(Request(prompt=TOXIC, steps=2))
        assert calls[0] == 2
        assert pipe.progress_bar is own
    finally:
        del pipe.progress_bar


def test_several_pictures_have_consecutive_seeds(guard: Guard) -> None:
    """Picture n of a request is, but for rounding in the batch, the one drawn from seed + n alone."""
    prompt = 'a cyan sign that says "WELCOME" on a brown background'
    both = guard.generate(Request(prompt=prompt, seed=7, steps=3, pictures=2))
    alone = guard.generate(Request(prompt=prompt, seed=8, steps=3))
    assert len(both.images) == 2
    assert alone.image is not None
    gap = np.abs(np.asarray(both.images[1], int) - np.asarray(alone.image, int))
    assert gap.max() <= 2
