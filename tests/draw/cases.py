"""A small pipeline of every family with its guard, for trying the ways in which pipelines are used."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from PIL import Image

from inkguard.check.checker import Checker
from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.families.registry import adapter_for
from inkguard.policy.load import load_policy
from tests.families import pipelines
from tests.families.calls import HARMLESS, TOXIC, call, manifest

__all__ = [
    "FAMILIES",
    "INSULT",
    "REGISTERED",
    "Case",
    "FixedReader",
    "case_of",
    "checker",
    "counted",
    "draw",
    "guarded_by",
    "new_case",
]

FAMILIES: dict[str, Callable[[], Any]] = {
    "sd": lambda: pipelines.pipeline(
        "StableDiffusionPipeline", pipelines.parts_of("StableDiffusionPipeline")
    ),
    **pipelines.FAMILIES,
}
"""Those of tests/families, and Stable Diffusion 1."""
REGISTERED: dict[str, Callable[[], Any]] = {**FAMILIES}
"""The same, and what a test has registered beside them."""
INSULT = 'a blue sign that says "LOSER" on a red background with a yellow star'
"""Another prompt that is substituted."""
_STEPS = 2

Pictures = np.ndarray[Any, Any]


class FixedReader:
    """Reads the same text in every picture, and keeps the pictures."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.seen: list[Image.Image] = []

    def read(self, image: Image.Image) -> str:
        self.seen.append(image)
        return self.text


@cache
def checker() -> Checker:
    """The default policy's word lists; without its classifier, which adds nothing here but time."""
    return Checker(replace(load_policy(None), verify=False, detoxify={}), None)


def guarded_by(pipe: Any, reader: Any = None, **more: Any) -> GuardedPipeline:
    """`pipe` under guard, with the second site alone; `more` are fields of the manifest."""
    return GuardedPipeline(pipe, checker(), manifest=manifest(pipe, (1,), **more), reader=reader)


def draw(drawer: Any, arguments: dict[str, Any], **more: Any) -> Pictures:
    """The pictures of a call of a pipeline, guarded or not; its noise is always the same."""
    given = {**arguments, **more}
    given["generator"].manual_seed(3)
    torch.manual_seed(3)
    output = drawer(**given)
    images = output[0] if isinstance(output, tuple) else output.images
    images = images.float().numpy() if isinstance(images, torch.Tensor) else images
    return np.stack([np.asarray(image) for image in images])


@dataclass(frozen=True, kw_only=True)
class Case:
    """A pipeline, its guard, and the arguments of calls in two steps."""

    family: str
    pipe: Any
    guarded: GuardedPipeline
    toxic: dict[str, Any]
    harmless: dict[str, Any]
    mixed: dict[str, Any]
    """A harmless and a toxic prompt."""

    @property
    def part(self) -> str:
        """The name of the denoiser."""
        return adapter_for(self.pipe).denoiser_component

    @property
    def denoiser(self) -> Any:
        return getattr(self.pipe, self.part)

    def takes(self, name: str) -> bool:
        return name in inspect.signature(type(self.pipe).__call__).parameters

    def assert_guarded(self, drawer: Any) -> None:
        """It draws as the guard of the untouched pipeline does, and harmless prompts as that pipeline."""
        bare, safe, harmless = pictures(self.family)
        assert not np.array_equal(safe, bare)
        assert np.array_equal(draw(drawer, self.toxic), safe)
        assert np.array_equal(draw(drawer, self.harmless), harmless)

    def assert_rows(self, drawer: Any, bare: Pictures, **more: Any) -> None:
        """Of the mixed batch the harmless row is that of `bare`, and the toxic one is another."""
        found = draw(drawer, self.mixed, **more)
        assert np.isfinite(found).all()
        assert np.array_equal(found[0], bare[0])
        assert not np.array_equal(found[1], bare[1])


def _case(family: str, pipe: Any) -> Case:
    return Case(
        family=family,
        pipe=pipe,
        guarded=guarded_by(pipe),
        toxic=call(pipe, [TOXIC], num_inference_steps=_STEPS),
        harmless=call(pipe, [HARMLESS], num_inference_steps=_STEPS),
        mixed=call(pipe, [HARMLESS, TOXIC], num_inference_steps=_STEPS),
    )


@cache
def case_of(family: str) -> Case:
    """For tests that leave the pipeline as it was."""
    pipe = REGISTERED[family]()
    pipe.set_progress_bar_config(disable=True)
    return _case(family, pipe)


def new_case(family: str) -> Case:
    """With a pipeline of its own, equal to that of `case_of`."""
    return _case(family, copy.deepcopy(case_of(family).pipe))


@cache
def pictures(family: str) -> tuple[Pictures, Pictures, Pictures]:
    """The toxic prompt's picture without and with a guard, and the harmless one's."""
    case = case_of(family)
    return (
        draw(case.pipe, case.toxic),
        draw(case.guarded, case.toxic),
        draw(case.pipe, case.harmless),
    )


@contextmanager
def counted(module: torch.nn.Module) -> Iterator[list[int]]:
    """Within, every call of `module` adds an item to the list."""
    calls: list[int] = []
    hook = module.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        yield calls
    finally:
        hook.remove()
