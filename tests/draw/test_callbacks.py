"""The user's functions between two steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers.callbacks import MultiPipelineCallbacks, SDXLCFGCutoffCallback

from inkguard.draw.callbacks import Callbacks
from inkguard.errors import InvalidInput

GUARDED = object()
PROMPTS = torch.arange(24.0).reshape(4, 2, 3)


def tensors() -> dict[str, Any]:
    return {"latents": torch.zeros(2, 4), "prompt_embeds": PROMPTS.clone()}


def called(callback: Callable[..., Any], given: dict[str, Any] | None = None) -> Callbacks:
    """What is known after one step with `callback`."""
    watch = Callbacks(GUARDED)
    step = watch.watched({"callback_on_step_end": callback})["callback_on_step_end"]
    step("the pipeline", 0, 1.0, tensors() if given is None else given)
    return watch


def test_a_callback_is_handed_the_guarded_pipeline() -> None:
    """And what it returns goes on to the pipeline."""
    seen: list[Any] = []

    def callback(pipe: Any, step: int, time: Any, given: dict[str, Any]) -> dict[str, Any]:
        seen.append((pipe, step, time))
        return given

    given = tensors()
    step = Callbacks(GUARDED).watched({"callback_on_step_end": callback})["callback_on_step_end"]
    assert step("the pipeline", 3, 9.0, given) is given
    assert seen == [(GUARDED, 3, 9.0)]


def test_other_text_is_refused_however_it_is_handed_back() -> None:
    """As another tensor, written into the one that was given, in another order, or with rows added."""

    def exchanged(_p: Any, _s: int, _t: Any, given: dict[str, Any]) -> dict[str, Any]:
        return {**given, "prompt_embeds": given["prompt_embeds"] + 1}

    def written(_p: Any, _s: int, _t: Any, given: dict[str, Any]) -> dict[str, Any]:
        given["prompt_embeds"][3] = 0
        return given

    def silently(_p: Any, _s: int, _t: Any, given: dict[str, Any]) -> dict[str, Any]:
        given["prompt_embeds"][3] = 0
        return {}

    def turned(_p: Any, _s: int, _t: Any, given: dict[str, Any]) -> dict[str, Any]:
        return {"prompt_embeds": given["prompt_embeds"].flip(0)}

    def first_rows(_p: Any, _s: int, _t: Any, given: dict[str, Any]) -> dict[str, Any]:
        return {"prompt_embeds": given["prompt_embeds"][:2]}

    def more_rows(_p: Any, _s: int, _t: Any, given: dict[str, Any]) -> dict[str, Any]:
        return {"prompt_embeds": given["prompt_embeds"].repeat(2, 1, 1)}

    def no_rows(_p: Any, _s: int, _t: Any, given: dict[str, Any]) -> dict[str, Any]:
        return {"prompt_embeds": given["prompt_embeds"][:0]}

    for callback in (exchanged, written, silently, turned, first_rows, more_rows, no_rows):
        with pytest.raises(InvalidInput, match="it changed prompt_embeds"):
            called(callback)


def test_what_was_not_given_cannot_be_handed_back() -> None:
    """The pipeline would take it all the same."""
    with pytest.raises(InvalidInput, match="it hands back prompt_embeds"):
        called(lambda *_: {"prompt_embeds": PROMPTS}, {"latents": torch.zeros(2, 4)})
    with pytest.raises(InvalidInput, match="must return the dictionary"):
        called(lambda *_: None)


def test_the_negative_prompts_may_be_left_out_half_way() -> None:
    """They stand first; guidance ends then."""
    called(lambda _p, _s, _t, given: {"prompt_embeds": given["prompt_embeds"].chunk(2)[-1]})


def test_text_that_was_changed_in_an_earlier_step_stays_refused() -> None:
    """What is compared with is the first that was given, and not what became of it."""
    watch = Callbacks(GUARDED)
    step = watch.watched({"callback_on_step_end": lambda _p, _s, _t, given: given})[
        "callback_on_step_end"
    ]
    step("the pipeline", 0, 1.0, tensors())
    with pytest.raises(InvalidInput, match="it changed prompt_embeds"):
        step("the pipeline", 1, 0.5, {**tensors(), "prompt_embeds": PROMPTS + 1})
    watch.restart()
    step("the pipeline", 0, 1.0, {**tensors(), "prompt_embeds": PROMPTS + 1})


def test_changed_latents_are_noted() -> None:
    """Another tensor, or one that was written into; to look at them is no change."""

    def written(_p: Any, _s: int, _t: Any, given: dict[str, Any]) -> dict[str, Any]:
        given["latents"] += 1
        return given

    assert not called(lambda _p, _s, _t, given: given).changed_latents
    assert not called(lambda _p, _s, _t, given: {}).changed_latents
    assert called(written).changed_latents
    assert called(lambda _p, _s, _t, given: {"latents": given["latents"] * 1}).changed_latents


def test_the_older_kind_of_callback_is_watched_too() -> None:
    """It is handed latents alone, and writes into them if anything."""
    for change, changed in ((0, False), (1, True)):
        watch = Callbacks(GUARDED)
        call = watch.watched({"callback": lambda _s, _t, x, by=change: x.add_(by) if by else None})
        call["callback"](0, 1.0, torch.zeros(2))
        assert watch.changed_latents is changed


def test_what_is_written_past_pytorchs_own_count_is_noted() -> None:
    """In inference mode, through NumPy, and through `.data`."""

    def through(write: Callable[[torch.Tensor], object]) -> bool:
        def callback(_p: Any, _s: int, _t: Any, given: dict[str, Any]) -> dict[str, Any]:
            write(given["latents"])
            return given

        return called(callback).changed_latents

    assert through(lambda x: x.numpy().fill(1))
    assert through(lambda x: x.data.fill_(1))
    with torch.inference_mode():
        assert through(lambda x: x.fill_(1))
        assert not through(lambda x: None)


@pytest.mark.parametrize("several", [False, True])
def test_diffusers_own_callbacks_keep_their_inputs(several: bool) -> None:
    """The pipeline asks them by their class, which a watched one has no more."""
    cutoff = SDXLCFGCutoffCallback(cutoff_step_ratio=0.5)
    callback = MultiPipelineCallbacks([cutoff]) if several else cutoff
    call = Callbacks(GUARDED).watched({"callback_on_step_end": callback})
    assert call["callback_on_step_end_tensor_inputs"] == cutoff.tensor_inputs


def test_a_call_without_callbacks_is_left_as_it_is() -> None:
    """Nothing is put in."""
    call = {"prompt": "a", "callback_on_step_end": None}
    assert Callbacks(GUARDED).watched(call) == call
