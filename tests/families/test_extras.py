"""LoRA, bfloat16, FreeU, fused projections, left-out steps under the SD adapters."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.errors import InvalidInput, SubstitutionError
from inkguard.families.call_defaults import first_step
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

NAMES = ("StableDiffusionPipeline", "StableDiffusionXLPipeline", "StableDiffusion3Pipeline")
EVERY = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The nets are so small that a second thread only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def new(name: str) -> Any:
    return pipeline(name, parts_of(name))


pipe_of = cache(new)
"""For tests that leave the models as they were."""


def all_sites_are_the_donors(pipe: Any, **more: Any) -> None:
    """Property 3 of a call with guidance, bit by bit but for the rounding of joint attention."""
    arguments = call(pipe, [HARMLESS, TOXIC], num_inference_steps=2, **more)
    donors, pooled = [HARMLESS, DONORS["longer"]], hasattr(pipe, "text_encoder_2")
    edited = draw(pipe, arguments, every_site(pipe), [1], donors, swap_pooled=pooled)
    tolerance = 2e-5 if hasattr(pipe, "transformer") else 0.0
    assert np.abs(edited - plain(pipe, arguments, prompt=donors)).max() <= tolerance
    assert not np.array_equal(edited[1], plain(pipe, arguments)[1])


@pytest.mark.parametrize("name", NAMES[:2])
def test_freeu_is_kept(name: str) -> None:
    """It scales what the U-Net's skips carry, and no text."""
    pipe = new(name)
    arguments = call(pipe, [HARMLESS, TOXIC], num_inference_steps=2)
    without = plain(pipe, arguments)
    pipe.enable_freeu(s1=0.6, s2=0.4, b1=1.1, b2=1.2)
    assert not np.array_equal(plain(pipe, arguments), without)
    all_sites_are_the_donors(pipe)


@EVERY
def test_what_could_pass_by_the_sites_is_refused(guard: Guard, name: str) -> None:
    """A flagged prompt is not drawn by fused denoisers; nothing is left on them."""
    pipe = new(name)
    plain(pipe, call(pipe, [TOXIC]))
    adapter_for(pipe).denoiser(pipe).fuse_qkv_projections()
    before = snapshot(pipe)
    wrapped = GuardedPipeline(pipe, guard.checker, manifest=manifest(pipe, (1,)), reader=None)
    with pytest.raises(SubstitutionError, match=r"(?i)fused"):
        wrapped.draw(call(pipe, [TOXIC]))
    assert snapshot(pipe) == before


@EVERY
def test_what_the_encoder_cuts_off_is_checked_too(guard: Guard, name: str) -> None:
    """A word past the encoders' limit flags the prompt; what is drawn is what was drawn before."""
    pipe = pipe_of(name)
    wrapped = GuardedPipeline(pipe, guard.checker, manifest=manifest(pipe, (1,)), reader=None)
    prompt = f"{HARMLESS}, {'and another pink circle, ' * 12} and a sign that says 'IDIOT'"
    arguments = call(pipe, [prompt], num_inference_steps=2)
    bare = plain(pipe, arguments)
    arguments["generator"].manual_seed(3)
    drawing = wrapped.draw(arguments)
    assert drawing.decisions[0].action is Action.SUBSTITUTE
    assert drawing.rungs == [Rung.SITES]
    assert np.abs(drawing.output.images - bare).max() < 2e-5


@EVERY
def test_negative_prompts_like_the_flagged_one_are_refused(name: str) -> None:
    """As text or as embeddings; without guidance no negative prompt is read."""
    pipe = pipe_of(name)
    arguments = call(pipe, [TOXIC], num_inference_steps=2)
    texts = dict.fromkeys(adapter_for(pipe).text_arguments, TOXIC)
    length = {"max_sequence_length": arguments["max_sequence_length"]} if "3" in name else {}
    with torch.no_grad():
        states = pipe.encode_prompt(
            **texts,
            **length,
            device="cpu",
            num_images_per_prompt=1,
            do_classifier_free_guidance=False,
        )[0]
    for negative in ({"negative_prompt": [TOXIC]}, {"negative_prompt_embeds": states}):
        given = arguments | negative
        with pytest.raises(SubstitutionError, match="same text embeddings as a negative prompt"):
            draw(pipe, given, (1,), [0], [DONORS["equal"]])
    unguided = {**arguments, "negative_prompt": [TOXIC], "guidance_scale": 1.0}
    draw(pipe, unguided, (1,), [0], [DONORS["equal"]])


@pytest.mark.parametrize(
    ("name", "more", "expected"),
    [
        # Of 10 steps the first 6 run unedited, and of those the ones that are left out are none.
        ("StableDiffusionPipeline", {}, 6),
        ("StableDiffusionImg2ImgPipeline", {"strength": 0.75}, 3),
        ("StableDiffusion3Img2ImgPipeline", {"strength": 0.75}, 4),
        ("StableDiffusionXLImg2ImgPipeline", {"denoising_start": 0.4, "strength": 0.1}, 2),
        ("StableDiffusionXLInpaintPipeline", {"strength": 0.2}, 0),
    ],
)
def test_steps_that_are_left_out_are_not_waited_for(
    name: str, more: dict[str, Any], expected: int
) -> None:
    """Counted as the pipeline counts them: U-Nets round down what they make, SD3 what it leaves out."""
    pipe = pipe_of(name)
    arguments = call(pipe, [TOXIC], num_inference_steps=10) | more
    found = manifest(pipe, (1,), start_step=6, of_steps=10)
    assert first_step(pipe, arguments, found) == expected
    made: list[float] = []
    denoiser = adapter_for(pipe).denoiser(pipe)
    hook = denoiser.register_forward_pre_hook(lambda *_: made.append(1))
    bare = plain(pipe, arguments)
    steps = len(made)
    hook.remove()
    edited = draw(pipe, arguments, (1,), [0], [DONORS["equal"]], start_step=6, of_steps=10)
    assert steps - expected in (4, steps)
    assert not np.array_equal(edited, bare)


def test_what_a_pipeline_cannot_read_or_draw_is_refused(guard: Guard) -> None:
    """GLIGEN's text comes as embeddings in any call; a picture has its own size; SD pools no text."""
    pipe = pipe_of("StableDiffusionImg2ImgPipeline")
    wrapped = GuardedPipeline(pipe, guard.checker, manifest=manifest(pipe, (1,)), reader=None)
    arguments = call(pipe, [HARMLESS])
    with pytest.raises(InvalidInput, match=r"^cross_attention_kwargs: "):
        wrapped.draw({**arguments, "cross_attention_kwargs": {"gligen": {}}})
    with pytest.raises(InvalidInput, match=r"width: .* draws in the size of its picture"):
        wrapped.check_size(64, None)
    wrapped.check_size(None, None)
    with pytest.raises(InvalidInput, match="height: must be a multiple of 8"):
        adapter_for(pipe).check_size(pipe_of("StableDiffusionPipeline"), 64, 65)
    with pytest.raises(SubstitutionError, match="has no pooled text"):
        draw(pipe, arguments, (1,), [0], [DONORS["equal"]], swap_pooled=True)
