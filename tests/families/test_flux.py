"""Stock FLUX pipelines with random weights under the guard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.errors import InvalidInput, SubstitutionError
from inkguard.families.call_defaults import first_step
from inkguard.families.flux.adapter import FluxAdapter
from inkguard.guard import Guard
from inkguard.types import Action
from tests.families.calls import (
    DONORS,
    HARMLESS,
    TOXIC,
    call,
    draw,
    every_site,
    manifest,
    plain,
)
from tests.families.nets import WIDTH
from tests.families.parts import flux_parts
from tests.families.pipelines import pipeline

DONOR = DONORS["equal"]
NAMES = (  # the others are in test_variants.py
    "FluxPipeline",
    "FluxControlNetPipeline",
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The nets are so small that a second thread only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    return flux_parts()


def guidance(kind: str, count: int) -> dict[str, Any]:
    """Distilled guidance alone, or true guidance by a negative prompt beside it."""
    if kind == "distilled":
        return {"guidance_scale": 3.5}
    return {"true_cfg_scale": 4.0, "negative_prompt": ["a blue circle"] * count}


GUIDANCE = pytest.mark.parametrize("kind", ["distilled", "true"])


@GUIDANCE
@pytest.mark.parametrize("each", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_in_a_mixed_batch_only_flagged_pictures_change(
    parts: dict[str, Any], name: str, each: int, kind: str
) -> None:
    """Property 2 in every pipeline: harmless rows are bit-identical to the bare pipeline's same batch."""
    pipe = pipeline(name, parts)
    prompts = [HARMLESS, TOXIC, HARMLESS]
    arguments = call(pipe, prompts, num_images_per_prompt=each, **guidance(kind, 3))
    before = plain(pipe, arguments)
    edited = draw(pipe, arguments, (1, 2), [1], {"prompt": [HARMLESS, DONOR, HARMLESS]})
    flagged = range(each, 2 * each)
    for n in range(3 * each):
        assert np.array_equal(before[n], edited[n]) is (n not in flagged)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_prompts_own_text_changes_nothing(parts: dict[str, Any], dtype: torch.dtype) -> None:
    """Property 1 through the whole pipeline: within 1e-5 of white in float32, 3 % in bfloat16."""
    pipe = pipeline("FluxPipeline", parts if dtype == torch.float32 else flux_parts()).to(dtype)
    arguments = call(pipe, [HARMLESS, TOXIC])
    before = plain(pipe, arguments)
    edited = draw(pipe, arguments, every_site(pipe), [1], {"prompt": [HARMLESS, TOXIC]})
    assert np.array_equal(before[0], edited[0])
    assert np.abs(edited - before).max() < (1e-5 if dtype == torch.float32 else 0.03)


@GUIDANCE
@pytest.mark.parametrize("name", NAMES)
def test_all_sites_and_pooled_text_equal_the_donor_prompt(
    parts: dict[str, Any], name: str, kind: str
) -> None:
    """Property 3 in every pipeline; a ControlNet is not the denoiser, so it keeps the prompt's text."""
    pipe = pipeline(name, parts)
    every, donors = every_site(pipe), {"prompt": [DONOR]}
    arguments = call(pipe, [TOXIC], **guidance(kind, 1))
    edited = draw(pipe, arguments, every, [0], donors, swap_pooled=True)
    if name == "FluxControlNetPipeline":
        states, pooled = FluxAdapter()._encode(pipe, arguments, {"prompt": [TOXIC]})
        hook = pipe.controlnet.register_forward_pre_hook(
            lambda _m, args, kwargs: (
                args,
                {**kwargs, "encoder_hidden_states": states, "pooled_projections": pooled},
            ),
            with_kwargs=True,
        )
    expected = plain(pipe, arguments, prompt=[DONOR])
    if name == "FluxControlNetPipeline":
        hook.remove()
    assert np.abs(edited - expected).max() < 1e-4
    assert np.abs(plain(pipe, arguments) - expected).max() > 1e-3


def test_a_word_that_only_clip_reads_is_taken_out_of_the_pooled_text(
    parts: dict[str, Any],
) -> None:
    """With a harmless prompt_2 there is nothing at the sites: the pooled text is the donor's then."""
    pipe = pipeline("FluxPipeline", parts)
    arguments = call(pipe, [TOXIC], prompt_2=[HARMLESS])
    edited = draw(pipe, arguments, (1,), [0], {"prompt": [DONOR], "prompt_2": [HARMLESS]})
    expected = plain(pipe, arguments, prompt=[DONOR])
    assert np.abs(edited - expected).max() < 1e-4


def test_a_word_that_only_t5_reads_is_substituted(parts: dict[str, Any]) -> None:
    """Toxic text in prompt_2 alone: with all sites the picture is that of the donor's prompt_2."""
    pipe = pipeline("FluxPipeline", parts)
    arguments = call(pipe, [HARMLESS], prompt_2=[TOXIC])
    donors = {"prompt": [HARMLESS], "prompt_2": [DONOR]}
    edited = draw(pipe, arguments, every_site(pipe), [0], donors)
    expected = plain(pipe, arguments, prompt_2=[DONOR])
    assert np.abs(edited - expected).max() < 1e-4


def test_rows_that_cannot_be_told_apart_are_refused(parts: dict[str, Any]) -> None:
    """A flagged and a harmless prompt with one prompt_2; a flagged prompt as the negative one."""
    pipe = pipeline("FluxPipeline", parts)
    arguments = call(pipe, [TOXIC, HARMLESS], prompt_2=[HARMLESS, HARMLESS])
    donors = {"prompt": [DONOR, HARMLESS], "prompt_2": [HARMLESS, HARMLESS]}
    with pytest.raises(SubstitutionError, match="cannot be told apart"):
        draw(pipe, arguments, (1,), [0], donors)
    arguments = call(pipe, [TOXIC], true_cfg_scale=2.0, negative_prompt=[TOXIC])
    with pytest.raises(SubstitutionError, match="negative prompt"):
        draw(pipe, arguments, (1,), [0], {"prompt": [DONOR]})


def test_steps_that_image_to_image_leaves_out_count_as_unedited(
    parts: dict[str, Any],
) -> None:
    """A start at step 4 of 10 is at once where the first 5 are left out, and after 2 where 2 are."""
    pipe = pipeline("FluxImg2ImgPipeline", parts)
    found = manifest(pipe, (1,), start_step=4, of_steps=10)
    for strength, expected in ((1.0, 4), (0.8, 2), (0.5, 0)):
        arguments = {"num_inference_steps": 10, "strength": strength}
        assert first_step(pipe, arguments, found) == expected
    assert first_step(pipe, {"num_inference_steps": 10}, found) == 0
    assert first_step(pipeline("FluxPipeline", parts), {"num_inference_steps": 10}, found) == 4


def test_the_wrapped_pipeline_checks_both_prompts(guard: Guard, parts: dict[str, Any]) -> None:
    """Toxic text in either one is found and substituted; sizes and embeddings are checked as well."""
    pipe = pipeline("FluxPipeline", parts)
    wrapped = GuardedPipeline(pipe, guard.checker, manifest=manifest(pipe, (1, 3)), reader=None)
    arguments = call(pipe, [HARMLESS, TOXIC])
    before = plain(pipe, arguments)
    arguments["generator"].manual_seed(3)
    drawing = wrapped.draw(arguments)
    assert [d.action for d in drawing.decisions] == [Action.ALLOW, Action.SUBSTITUTE]
    assert np.array_equal(drawing.output.images[0], before[0])
    assert not np.array_equal(drawing.output.images[1], before[1])
    drawing = wrapped.draw(call(pipe, [HARMLESS], prompt_2=[TOXIC]))
    assert drawing.decisions[0].action is Action.SUBSTITUTE
    with pytest.raises(InvalidInput, match="pooled_prompt_embeds"):
        wrapped(pooled_prompt_embeds=torch.zeros(1, WIDTH))
    with pytest.raises(InvalidInput, match="width: must be a multiple of 4"):
        wrapped.check_size(30, None)
