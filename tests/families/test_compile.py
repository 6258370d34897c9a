"""Pipelines whose denoiser was compiled, before or after the guard came: flagged calls run it uncompiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch._dynamo.backends.debugging import aot_eager

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.errors import Cancelled
from inkguard.families.registry import adapter_for
from inkguard.guard import Guard
from inkguard.types import Rung
from tests.families.calls import DONORS, HARMLESS, TOXIC, call, draw, manifest, plain, snapshot
from tests.families.pipelines import parts_of, pipeline

NAMES = ("StableDiffusionPipeline", "StableDiffusion3Pipeline", "FluxPipeline")
STEPS = 2
MIXED = [HARMLESS, TOXIC]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The nets are so small that a second thread only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class _Backend:
    """A compiler that counts the graphs that it was given, and how often they run."""

    def __init__(self) -> None:
        torch._dynamo.reset()
        self.graphs = self.runs = 0

    def __call__(self, graph: Any, inputs: Any) -> Callable[..., Any]:
        self.graphs += 1
        made = aot_eager(graph, inputs)

        def run(*given: Any) -> Any:
            self.runs += 1
            return made(*given)

        return run

    def counted(self, do: Callable[[], Any]) -> tuple[Any, int, int]:
        """What `do` returns, and how many graphs it added and ran."""
        graphs, runs = self.graphs, self.runs
        return do(), self.graphs - graphs, self.runs - runs


def _part(pipe: Any) -> str:
    return "unet" if hasattr(pipe, "unet") else "transformer"


def _wrap(pipe: Any, backend: Any) -> None:
    setattr(pipe, _part(pipe), torch.compile(getattr(pipe, _part(pipe)), backend=backend))


def _method(pipe: Any, backend: Any) -> None:
    getattr(pipe, _part(pipe)).compile(backend=backend)


def _blocks(pipe: Any, backend: Any) -> None:
    getattr(pipe, _part(pipe)).compile_repeated_blocks(backend=backend)


def _wrap_block(pipe: Any, backend: Any) -> None:
    if _part(pipe) == "unet":
        pipe.unet.mid_block = torch.compile(pipe.unet.mid_block, backend=backend)
    else:
        blocks = pipe.transformer.transformer_blocks
        blocks[1] = torch.compile(blocks[1], backend=backend)


def _forward(pipe: Any, backend: Any) -> None:
    model = getattr(pipe, _part(pipe))
    model.forward = torch.compile(model.forward, backend=backend)


CASES = [
    *((name, way) for name in NAMES for way in (_wrap, _wrap_block)),
    ("StableDiffusionPipeline", _blocks),
    ("StableDiffusion3Pipeline", _method),  # it does not say which of its blocks repeat
    ("StableDiffusion3Pipeline", _forward),
    ("FluxPipeline", _blocks),
]
QUICK = list(zip(NAMES, (_blocks, _method, _blocks), strict=True))


@pytest.mark.parametrize(("name", "way"), CASES)
def test_flagged_calls_are_drawn_uncompiled_and_all_others_compiled(
    name: str, way: Callable[..., None]
) -> None:
    """The edit is the uncompiled pipeline's; between edits nothing is compiled again, or left behind."""
    pipe, backend = pipeline(name, parts_of(name)), _Backend()
    arguments = call(pipe, MIXED, num_inference_steps=STEPS)
    uncompiled = plain(pipe, arguments)
    edit = partial(draw, pipe, arguments, (1,), [1], [HARMLESS, DONORS["equal"]])
    expected = edit()
    way(pipe, backend)
    bare, graphs, _ = backend.counted(lambda: plain(pipe, arguments))
    assert graphs > 0
    again, graphs, runs = backend.counted(lambda: plain(pipe, arguments))
    assert graphs == 0
    assert runs >= STEPS
    assert np.array_equal(again, bare)
    before = snapshot(pipe)
    for _ in range(2):
        edited, *counts = backend.counted(edit)
        assert counts == [0, 0]
        assert np.array_equal(edited, expected)
        assert np.array_equal(edited[0], uncompiled[0])
        assert not np.array_equal(edited[1], uncompiled[1])
        assert snapshot(pipe) == before
        pictures, *counts = backend.counted(lambda: plain(pipe, arguments))
        assert counts == [0, runs]
        assert np.array_equal(pictures, bare)


@pytest.mark.parametrize(("name", "way"), QUICK)
def test_a_flagged_call_may_be_the_first_one(name: str, way: Callable[..., None]) -> None:
    """What is compiled after it is what a pipeline without a guard compiles, and nothing of the edit."""
    pipe, twin = pipeline(name, parts_of(name)), pipeline(name, parts_of(name))
    arguments = call(pipe, MIXED, num_inference_steps=STEPS)
    backend = _Backend()
    way(twin, backend)
    bare, graphs, runs = backend.counted(lambda: plain(twin, arguments))
    backend = _Backend()
    way(pipe, backend)
    draw(pipe, arguments, (1,), [1], [HARMLESS, DONORS["equal"]])
    assert (backend.graphs, backend.runs) == (0, 0)
    pictures, *counts = backend.counted(lambda: plain(pipe, arguments))
    assert counts == [graphs, runs]
    assert np.array_equal(pictures, bare)


@pytest.mark.parametrize(("name", "way"), QUICK)
def test_an_exception_in_a_flagged_call_leaves_the_pipeline_compiled(
    guard: Guard, name: str, way: Callable[..., None]
) -> None:
    """Also under `inkguard.wrap`, which draws calls without a flagged prompt compiled."""
    pipe, backend = pipeline(name, parts_of(name)), _Backend()
    way(pipe, backend)
    wrapped = GuardedPipeline(pipe, guard.checker, manifest=manifest(pipe, (1,)), reader=None)
    arguments = call(pipe, [HARMLESS], num_inference_steps=STEPS)
    bare = plain(pipe, arguments)
    before = snapshot(pipe)

    def stop(_done: int, _total: int) -> None:
        raise Cancelled("stopped by the test")

    arguments["generator"].manual_seed(3)
    with pytest.raises(Cancelled):
        wrapped.draw({**arguments, "prompt": [TOXIC]}, on_step=stop)
    assert snapshot(pipe) == before
    arguments["generator"].manual_seed(3)
    drawing, graphs, runs = backend.counted(lambda: wrapped.draw(arguments))
    assert drawing.rungs == [Rung.UNGUARDED]
    assert graphs == 0
    assert runs >= STEPS
    assert np.array_equal(drawing.output.images, bare)
    assert wrapped.draw({**arguments, "prompt": [TOXIC]}).rungs == [Rung.SITES]


@pytest.mark.parametrize("way", [_wrap, _wrap_block])
@pytest.mark.parametrize("name", NAMES)
def test_sites_keep_their_names(name: str, way: Callable[..., None]) -> None:
    """A manifest fits a compiled denoiser as it fits the plain one."""
    pipe = pipeline(name, parts_of(name))
    found = manifest(pipe, (0, 1))
    way(pipe, "eager")
    adapter = adapter_for(pipe)
    assert list(found.differences(adapter.denoiser(pipe), adapter.site_names(pipe), None)) == []
    assert [name for name, _ in adapter.sites(pipe)][:2] == list(found.modules)
