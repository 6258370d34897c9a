"""Guards over one denoiser in several threads; `python -m bench.threads` does it longer, for all families."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from bench.threads import Drawers, stress
from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.families.registry import adapter_for
from tests.draw.cases import Case, case_of, counted, draw, pictures
from tests.families.calls import DONORS, HARMLESS, TOXIC, manifest


@pytest.mark.parametrize("family", ["sdxl", "qwen", "pixart-sigma"])
def test_pictures_are_those_that_are_drawn_alone(family: str) -> None:
    """Of three guards with two policies in four threads, and of a bare pipeline in a fifth."""
    drawers = Drawers(family, steps=2)
    assert drawers.differ_alone()
    guarded, bare = stress(drawers, calls=24, threads=4)
    assert guarded.errors == []
    assert guarded.identical == 24
    assert bare.different == 0


def test_guards_are_made_and_copied_while_another_thread_draws(case: Case) -> None:
    """A new guard is there at once; copies wait for the end of the picture, and none holds a part of its edit."""
    made: dict[str, Any] = {}

    def make() -> None:
        made["new"] = GuardedPipeline(
            case.pipe, case.guarded.parts.checker, manifest=case.guarded._manifest, reader=None
        )

    def duplicate() -> None:
        made["new"].refuse_unsupported()
        made["copy"] = copy.copy(case.guarded)
        made["deep copy"] = copy.deepcopy(case.guarded)

    waiting = threading.Thread(target=duplicate, daemon=True)

    def on_step(done: int, _total: int) -> None:
        if done == 1:
            at_once = threading.Thread(target=make, daemon=True)
            at_once.start()
            at_once.join(60)
            assert "new" in made
            waiting.start()

    case.toxic["generator"].manual_seed(3)
    torch.manual_seed(3)
    own = case.guarded.draw(case.toxic, on_step=on_step).output.images
    waiting.join(120)
    assert {*made} == {"new", "copy", "deep copy"}
    for guarded in made.values():
        assert np.array_equal(draw(guarded, case.toxic), own)


def test_what_was_encoded_is_kept_for_its_own_thread(case: Case) -> None:
    """Another thread, of a bare pipeline with the same text encoder, takes nothing of it away."""
    encoder: Any = case.pipe.text_encoder
    given: list[Any] = []
    note = encoder.register_forward_pre_hook(
        lambda _module, args, kwargs: given.append((args, kwargs)), with_kwargs=True
    )
    alone = drawn_within(case, lambda: None)
    note.remove()
    args, kwargs = given[0]  # of the prompts: what is encoded first
    found: list[Any] = []

    def encode() -> None:
        thread = threading.Thread(target=lambda: found.append(encoder(*args, **kwargs)))
        thread.start()
        thread.join()

    beside = drawn_within(case, encode)
    assert len(found) == 1
    assert beside[1] == alone[1]
    assert np.array_equal(beside[0], alone[0])


def drawn_within(case: Case, before: Callable[[], None]) -> tuple[Any, int]:
    """The toxic prompt's picture, and how often the text encoder ran for it after `before`."""
    donors = {"prompt": [DONORS["equal"]]}
    arguments = {**case.toxic}
    found = manifest(case.pipe, (1,))
    with adapter_for(case.pipe).substituted(case.pipe, found, arguments, [0], donors):
        before()
        with counted(case.pipe.text_encoder) as calls:
            picture = draw(case.pipe, arguments)
    return picture, len(calls)


def test_a_prompt_that_another_thread_exchanges_is_not_drawn() -> None:
    """The list of prompts belongs to the caller; what was in it when the call began is what counts."""
    case = case_of("sdxl")
    prompts = [HARMLESS]
    reached, exchanged = threading.Event(), threading.Event()

    def exchange() -> None:
        reached.wait(60)
        prompts[0] = TOXIC
        exchanged.set()

    class Waits(dict[str, Any]):
        """Attention arguments, which are looked at after the prompts were."""

        def items(self) -> Any:
            reached.set()
            exchanged.wait(60)
            return super().items()

    thread = threading.Thread(target=exchange)
    thread.start()
    found = draw(
        case.guarded, case.harmless, prompt=prompts, cross_attention_kwargs=Waits(scale=1.0)
    )
    thread.join()
    assert prompts == [TOXIC]
    assert np.array_equal(found, pictures("sdxl")[2])
