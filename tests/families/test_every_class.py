"""Every pipeline class of the built-in families, with small random weights."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.edit.shadow_stream import ShadowStream
from inkguard.errors import Cancelled, InvalidInput
from inkguard.families import BUILT_IN, family_of
from inkguard.types import Action, Rung
from tests.draw.cases import guarded_by
from tests.families.calls import (
    DONORS,
    HARMLESS,
    TOXIC,
    call,
    draw,
    every_site,
    plain,
    snapshot,
)
from tests.families.pipelines import parts_of, pipeline

NAMES = sorted(str(name) for family in BUILT_IN for name in family.pipelines)
EVERY = pytest.mark.parametrize("name", NAMES)
ROUNDING = 2e-5
"""Of white: what is equal is so but for rounding where the edit splits attention in two."""
MASKED = ("pixart", "qwen", "sana")
"""Families in which diffusers 0.42 gives rows each other's masks, with several pictures of several prompts."""


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
    each = 1 if family_of(pipe).name in MASKED else 2
    optional = {"negative_prompt": ["a blue circle"] * 2, "true_cfg_scale": 2.0}
    more = {k: v for k, v in optional.items() if k in takes}
    return call(pipe, [HARMLESS, TOXIC], num_images_per_prompt=each, **more)


@contextmanager
def text_held(pipe: Any, arguments: dict[str, Any]) -> Iterator[None]:
    """A ControlNet, and what IF pools in its U-Net, go on reading the text of `arguments`."""
    net = getattr(pipe, "controlnet", None)
    pooling = getattr(getattr(pipe, "unet", None), "add_embedding", None)
    pooling = pooling if net is None and family_of(pipe).name == "if" else None
    names = ("encoder_hidden_states", "encoder_hidden_states_mask", "pooled_projections")
    names += ("encoder_attention_mask", "added_cond_kwargs")
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
    adapter = family_of(pipe).adapter
    arguments = arguments_of(pipe)
    bare = plain(pipe, arguments)
    before = snapshot(pipe)
    assert np.isfinite(bare).all()
    tolerance = ROUNDING if issubclass(adapter.edit, ShadowStream) else 0.0

    own = draw(pipe, arguments, every_site(pipe), [1], arguments["prompt"])
    assert np.abs(own - bare).max() <= tolerance

    donors = [HARMLESS, DONORS["longer"]]
    one = draw(pipe, arguments, (1,), [1], donors)
    each = len(bare) // 2
    assert np.array_equal(one[:each], bare[:each])
    assert all(not np.array_equal(one[n], bare[n]) for n in range(each, 2 * each))

    every = draw(pipe, arguments, every_site(pipe), [1], donors, swap_pooled=adapter.has_pooled)
    with text_held(pipe, arguments):
        expected = plain(pipe, arguments, prompt=donors)
    assert np.abs(every - expected).max() <= tolerance
    assert np.abs(every[each:] - bare[each:]).max() > 1e-3
    assert snapshot(pipe) == before
    assert np.array_equal(plain(pipe, arguments), bare)


@EVERY
def test_the_wrapped_pipeline_checks_all_text_and_stops(name: str) -> None:
    """Toxic text in any argument is substituted, embeddings are refused, idle it does nothing.

    Stopped after the first step, nothing is decoded and nothing is left on the models.
    """
    pipe = pipe_of(name)
    adapter, wrapped = family_of(pipe).adapter, guarded_by(pipe)
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
