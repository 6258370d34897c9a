"""Every supported pipeline class that has no test file of its own, with small random weights."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from inkguard.families.supported import FAMILIES

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.errors import Cancelled, InvalidInput
from inkguard.families.registry import adapter_for
from inkguard.guard import Guard
from inkguard.types import Action, Rung
from tests.families.calls import (
    DONORS,
    HARMLESS,
    TOXIC,
    call,
    draw,
    every_site,
    manifest,
    plain,
    snapshot,
)
from tests.families.pipelines import parts_of, pipeline

_ELSEWHERE = ("PixArt", "Sana")
"""Whose every class is in test_caption.py."""
NAMES = [n for n, f in FAMILIES.items() if f.adapter and not n.startswith(_ELSEWHERE)]
EVERY = pytest.mark.parametrize("name", NAMES)
JOINT = ("flux", "qwen", "sd3")
"""Families in which the edit splits attention, so that what is equal is so but for rounding."""
ROUNDING = 2e-5


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The nets are so small that a second thread only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@cache
def pipe_of(name: str) -> Any:
    return pipeline(name, parts_of(name))


def arguments_of(pipe: Any) -> dict[str, Any]:
    """Two prompts, two pictures of each, and negative prompts where the class has them."""
    takes = inspect.signature(type(pipe).__call__).parameters
    # With several pictures of prompts of two lengths, diffusers mixes up Qwen-Image's masks.
    each = 1 if type(pipe).__name__.startswith("Qwen") else 2
    optional = {"negative_prompt": ["a blue circle"] * 2, "true_cfg_scale": 2.0}
    more = {k: v for k, v in optional.items() if k in takes}
    return call(pipe, [HARMLESS, TOXIC], num_images_per_prompt=each, **more)


@contextmanager
def text_held(pipe: Any, arguments: dict[str, Any]) -> Iterator[None]:
    """A ControlNet, and what IF pools in its U-Net, go on reading the text of `arguments`."""
    net = getattr(pipe, "controlnet", None)
    pooling = getattr(getattr(pipe, "unet", None), "add_embedding", None)
    pooling = pooling if net is None and FAMILIES[type(pipe).__name__].adapter == "if" else None
    names = ("encoder_hidden_states", "encoder_hidden_states_mask", "pooled_projections")
    names += ("added_cond_kwargs",)
    seen: list[Any] = []

    def note_net(_module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        seen.append({k: kwargs[k] for k in names if k in kwargs})

    def note_pooling(*given: Any) -> None:
        seen.append(given[2])

    def hook(net_hook: Any, pooling_hook: Any) -> None:
        if net is not None:
            undo.callback(net.register_forward_pre_hook(net_hook, with_kwargs=True).remove)
        if pooling is not None:
            undo.callback(pooling.register_forward_hook(pooling_hook).remove)

    with ExitStack() as undo:
        hook(note_net, note_pooling)
        plain(pipe, arguments)
    calls = iter(seen)
    with ExitStack() as undo:
        hook(
            lambda _module, args, kwargs: (args, {**kwargs, **next(calls)}), lambda *_: next(calls)
        )
        yield


@EVERY
def test_the_five_properties_hold(name: str) -> None:
    """Own text changes nothing; harmless rows stay bit by bit; all sites are the donor prompt's picture.

    The last with text that is read elsewhere held fixed. Families whose edit is cross-attention are
    equal bit by bit. Nothing is left on the models.
    """
    pipe = pipe_of(name)
    family = FAMILIES[name].adapter
    arguments = arguments_of(pipe)
    bare = plain(pipe, arguments)
    before = snapshot(pipe)
    assert np.isfinite(bare).all()
    tolerance = ROUNDING if family in JOINT else 0.0

    own = draw(pipe, arguments, every_site(pipe), [1], arguments["prompt"])
    assert np.abs(own - bare).max() <= tolerance

    donors = [HARMLESS, DONORS["longer"]]
    one = draw(pipe, arguments, (1,), [1], donors)
    each = len(bare) // 2
    assert np.array_equal(one[:each], bare[:each])
    assert all(not np.array_equal(one[n], bare[n]) for n in range(each, 2 * each))

    pooled = family in ("flux", "sd3", "sdxl")
    every = draw(pipe, arguments, every_site(pipe), [1], donors, swap_pooled=pooled)
    with text_held(pipe, arguments):
        expected = plain(pipe, arguments, prompt=donors)
    assert np.abs(every - expected).max() <= tolerance
    assert np.abs(every[each:] - bare[each:]).max() > 1e-3
    assert snapshot(pipe) == before
    assert np.array_equal(plain(pipe, arguments), bare)


@EVERY
def test_the_wrapped_pipeline_checks_all_text_and_stops(guard: Guard, name: str) -> None:
    """Toxic text in any argument is substituted, embeddings are refused, idle it does nothing.

    Stopped after the first step, nothing is decoded and nothing is left on the models.
    """
    pipe = pipe_of(name)
    adapter = adapter_for(pipe)
    wrapped = GuardedPipeline(pipe, guard.checker, manifest=manifest(pipe, (1,)), reader=None)
    arguments = call(pipe, [HARMLESS, TOXIC], num_inference_steps=2)
    bare, before = plain(pipe, {**arguments, "prompt": [HARMLESS] * 2}), snapshot(pipe)

    idle = again(wrapped, {**arguments, "prompt": [HARMLESS] * 2})
    assert idle.rungs == [Rung.UNGUARDED] * 2
    assert np.array_equal(idle.output.images, bare)

    for argument in adapter.text_arguments:
        texts = {"prompt": [HARMLESS] * 2, argument: [HARMLESS, TOXIC]}
        drawing = again(wrapped, {**arguments, **texts})
        assert [d.action for d in drawing.decisions] == [Action.ALLOW, Action.SUBSTITUTE]
        assert drawing.rungs == [Rung.UNGUARDED, Rung.SITES]
    for argument in adapter.embedding_arguments:
        with pytest.raises(InvalidInput, match=f"^{argument}: "):
            wrapped.draw({**arguments, argument: torch.zeros(2, 40, 32)})

    decoded, owner = [], pipe.vae if hasattr(pipe, "vae") else pipe
    method = "decode" if hasattr(pipe, "vae") else "run_safety_checker"
    original = getattr(owner, method)
    setattr(owner, method, lambda *a, **k: decoded.append(1) or original(*a, **k))
    try:
        with pytest.raises(Cancelled):
            wrapped.draw(arguments, on_step=_stop)
    finally:
        delattr(owner, method)
    assert not decoded
    assert snapshot(pipe) == before


def again(wrapped: GuardedPipeline, arguments: dict[str, Any]) -> Any:
    """Drawn with the noise of `plain`."""
    arguments["generator"].manual_seed(3)
    torch.manual_seed(3)
    return wrapped.draw(arguments)


def _stop(_done: int, _total: int) -> None:
    raise Cancelled("stopped by the test")
