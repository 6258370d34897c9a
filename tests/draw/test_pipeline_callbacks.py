"""The user's functions between two steps: what they are given, what they may do, and what they may not."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.callbacks import SDCFGCutoffCallback, SDXLCFGCutoffCallback

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.errors import Blocked, InvalidInput, SubstitutionError
from tests.draw.cases import Case, FixedReader, case_of, draw, guarded_by, pictures
from tests.families.calls import HARMLESS, TOXIC

CALLBACK = "callback_on_step_end"
INPUTS = "callback_on_step_end_tensor_inputs"
WITH_EMBEDDINGS = ["sd", "sdxl", "sd3", "flux", "qwen", "sana", "sana-sprint"]
"""Families whose callbacks may be given the prompts' embeddings."""


def kinds(case: Case) -> list[str]:
    """The callbacks that the class takes: the newer one, the older one, or both."""
    found = [name for name in (CALLBACK, "callback") if case.takes(name)]
    assert found
    return found


def test_a_callback_is_handed_the_guarded_pipeline(case: Case) -> None:
    """After every step, of harmless and of toxic prompts; the older kind gets no pipeline."""
    for name in kinds(case):
        for arguments, expected in zip((case.toxic, case.harmless), pictures(case.family)[1:]):
            given: list[Any] = []

            def note(*args: Any, given: list[Any] = given) -> Any:
                given.append(args[0])
                return args[-1]

            assert np.array_equal(draw(case.guarded, arguments, **{name: note}), expected)
            assert len(given) == 2
            if name == CALLBACK:
                assert all(one is case.guarded for one in given)


@pytest.mark.parametrize("family", WITH_EMBEDDINGS)
@pytest.mark.parametrize("prompt", [HARMLESS, TOXIC])
@pytest.mark.parametrize("in_place", [True, False])
def test_a_callback_may_not_change_the_text(family: str, prompt: str, in_place: bool) -> None:
    """Neither by writing into the embeddings nor by handing others back; no picture comes out."""
    case = case_of(family)

    def change(_pipe: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> Any:
        embeddings = tensors["prompt_embeds"]
        if in_place:
            embeddings.mul_(1.5)
            return {}
        return {**tensors, "prompt_embeds": embeddings * 1.5}

    more = {CALLBACK: change, INPUTS: ["latents", "prompt_embeds"]}
    with pytest.raises(InvalidInput, match=r"^callback_on_step_end: it changed prompt_embeds"):
        draw(case.guarded, case.harmless, prompt=[prompt], **more)
    case.assert_guarded(case.guarded)


@pytest.mark.parametrize("family", WITH_EMBEDDINGS)
def test_a_callback_hands_back_no_more_than_it_was_given(family: str) -> None:
    """And a dictionary at that."""
    case = case_of(family)
    embeddings = torch.zeros(1, 1)
    for answer, message in (
        ({"prompt_embeds": embeddings}, "was not given"),
        (None, "must return"),
    ):
        with pytest.raises(InvalidInput, match=message):
            draw(case.guarded, case.harmless, **{CALLBACK: lambda *_, a=answer: a})


def test_what_a_callback_draws_into_the_picture_is_read(case: Case) -> None:
    """A harmless prompt's picture as well, where a callback changed it."""
    for name in kinds(case):

        def change(*given: Any) -> Any:
            latents = given[-1]["latents"] if isinstance(given[-1], dict) else given[-1]
            latents.mul_(0.5)
            return given[-1]

        reader = FixedReader()
        guarded = guarded_by(case.pipe, reader)
        draw(guarded, case.harmless, **{name: lambda *given: given[-1]})
        assert not reader.seen
        draw(guarded, case.harmless, **{name: change})
        assert len(reader.seen) == 1
        with pytest.raises(Blocked):
            draw(guarded_by(case.pipe, FixedReader("IDIOT")), case.harmless, **{name: change})


def drop_guidance(pipe: Any, step: int, _time: Any, tensors: dict[str, Any]) -> Any:
    """As the documentation of diffusers has it."""
    if step == 0:
        for name in tensors.keys() - {"latents"}:
            tensors[name] = tensors[name].chunk(2)[-1]
        pipe._guidance_scale = 0.0
    return tensors


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("sd", ["prompt_embeds"]),
        ("sdxl", ["prompt_embeds", "add_text_embeds", "add_time_ids"]),
        ("sd3", ["prompt_embeds", "pooled_prompt_embeds"]),
    ],
)
def test_guidance_may_end_half_way(family: str, names: list[str]) -> None:
    """In a batch too: the harmless row is the bare pipeline's, and the toxic one stays guarded."""
    case = case_of(family)
    more = {CALLBACK: drop_guidance, INPUTS: names}
    bare = draw(case.pipe, case.mixed, **more)
    assert not np.array_equal(bare, draw(case.pipe, case.mixed))
    case.assert_rows(case.guarded, bare, **more)


@pytest.mark.parametrize(
    ("family", "callback"), [("sd", SDCFGCutoffCallback), ("sdxl", SDXLCFGCutoffCallback)]
)
def test_the_callbacks_of_diffusers_work(family: str, callback: Any) -> None:
    """Those that end guidance; their own list of tensors is what the pipeline hands them."""
    case = case_of(family)
    more = {CALLBACK: callback(cutoff_step_ratio=None, cutoff_step_index=0)}
    bare, harmless = draw(case.pipe, case.toxic, **more), draw(case.pipe, case.harmless, **more)
    assert not np.array_equal(harmless, pictures(family)[2])
    assert np.array_equal(draw(case.guarded, case.harmless, **more), harmless)
    toxic = draw(case.guarded, case.toxic, **more)
    assert not np.array_equal(toxic, bare)
    assert not np.array_equal(toxic, pictures(family)[1])


@pytest.mark.parametrize("family", WITH_EMBEDDINGS)
def test_a_callback_may_end_the_call_early(family: str) -> None:
    """By `pipe._interrupt`, as diffusers documents: what is there by then comes out, still guarded."""
    case = case_of(family)

    def interrupt(pipe: Any, step: int, _time: Any, tensors: dict[str, Any]) -> Any:
        pipe._interrupt = step == 0
        return tensors

    if not hasattr(type(case.pipe), "interrupt"):
        pytest.skip("the class has no such attribute")
    more = {CALLBACK: interrupt, "num_inference_steps": 3 if family != "sana-sprint" else 2}
    bare = draw(case.pipe, case.mixed, **more)
    case.assert_rows(case.guarded, bare, **more)
    case.assert_guarded(case.guarded)


def test_a_callback_cannot_draw_with_its_own_pipeline(case: Case) -> None:
    """Neither with it nor with another that shares a part, nor may it exchange the denoiser."""
    sibling = guarded_by(case.pipe)
    attempts = (
        lambda: case.guarded(**case.harmless),
        lambda: sibling(**case.harmless),
        lambda: setattr(case.guarded, case.part, case.denoiser),
    )
    for attempt in attempts:

        def again(*_given: Any, attempt: Any = attempt) -> None:
            attempt()

        name = kinds(case)[0]
        for arguments in (case.harmless, case.toxic):
            with pytest.raises(SubstitutionError, match="is drawing in this very thread"):
                draw(case.guarded, arguments, **{name: again})
    case.assert_guarded(case.guarded)


def test_a_callback_that_fails_leaves_nothing_behind(case: Case) -> None:
    """Its exception comes out as it is, and the next call is drawn as ever."""

    def fail(*_given: Any) -> None:
        raise KeyError("mine")

    for name in kinds(case):
        with pytest.raises(KeyError, match="mine"):
            draw(case.guarded, case.toxic, **{name: fail})
    case.assert_guarded(case.guarded)


def test_what_a_callback_is_handed_is_guarded() -> None:
    """Drawing with it after the call is drawing under guard."""
    case, kept = case_of("sdxl"), []

    def keep(pipe: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> Any:
        kept.append(pipe)
        return tensors

    draw(case.guarded, case.harmless, **{CALLBACK: keep})
    assert type(kept[0]) is GuardedPipeline
    assert inspect.ismethod(kept[0].__call__)
    case.assert_guarded(kept[0])
