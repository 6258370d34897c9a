"""Stock Qwen-Image pipelines with random weights under the guard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.errors import InvalidInput, SubstitutionError
from inkguard.families.qwen_image.adapter import QwenAdapter
from inkguard.guard import Guard
from inkguard.types import Action
from tests.families.calls import (
    DONORS,
    HARMLESS,
    SHORT,
    TOXIC,
    call,
    draw,
    every_site,
    manifest,
    plain,
)
from tests.families.nets import WIDTH
from tests.families.parts import qwen_parts
from tests.families.pipelines import pipeline

NAMES = (  # the others are in test_variants.py
    "QwenImagePipeline",
    "QwenImageControlNetPipeline",
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
    return qwen_parts()


def guidance(guided: bool, count: int) -> dict[str, Any]:
    return {"negative_prompt": ["a blue circle"] * count} if guided else {}


GUIDED = pytest.mark.parametrize("guided", [False, True], ids=["plain", "guided"])


@GUIDED
@pytest.mark.parametrize("each", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_in_a_mixed_batch_only_flagged_pictures_change(
    parts: dict[str, Any], name: str, each: int, guided: bool
) -> None:
    """Property 2 in every pipeline: harmless rows are bit-identical to the bare pipeline's same batch."""
    pipe = pipeline(name, parts)
    arguments = call(
        pipe, [HARMLESS, TOXIC, SHORT], num_images_per_prompt=each, **guidance(guided, 3)
    )
    before = plain(pipe, arguments)
    edited = draw(pipe, arguments, (1,), [1], [HARMLESS, DONORS["longer"], SHORT])
    flagged = range(each, 2 * each)
    for n in range(3 * each):
        assert np.array_equal(before[n], edited[n]) is (n not in flagged)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_prompts_own_text_changes_nothing(parts: dict[str, Any], dtype: torch.dtype) -> None:
    """Property 1 through the whole pipeline: within 1e-5 of white in float32, 3 % in bfloat16."""
    pipe = pipeline(NAMES[0], parts if dtype == torch.float32 else qwen_parts()).to(dtype)
    arguments = call(pipe, [HARMLESS, TOXIC, SHORT], **guidance(True, 3))
    before = plain(pipe, arguments)
    edited = draw(pipe, arguments, every_site(pipe), [1, 2], arguments["prompt"])
    assert np.array_equal(before[0], edited[0])
    assert np.abs(edited - before).max() < (1e-5 if dtype == torch.float32 else 0.03)


@GUIDED
@pytest.mark.parametrize("length", list(DONORS))
def test_all_sites_equal_the_donor_prompt(parts: dict[str, Any], length: str, guided: bool) -> None:
    """Property 3 with donors of every length, alone and in a batch that is padded and masked."""
    pipe = pipeline("QwenImagePipeline", parts)
    for before in ([], [SHORT], [HARMLESS]):
        prompts, donors = [*before, TOXIC], [*before, DONORS[length]]
        arguments = call(pipe, prompts, **guidance(guided, len(prompts)))
        edited = draw(pipe, arguments, every_site(pipe), [len(before)], donors)
        expected = plain(pipe, arguments, prompt=donors)
        assert np.abs(edited - expected).max() < 1e-4
        assert np.abs(plain(pipe, arguments)[-1] - expected[-1]).max() > 1e-3


@pytest.mark.parametrize("name", NAMES[1:])
def test_all_sites_equal_the_donor_prompt_in_every_pipeline(
    parts: dict[str, Any], name: str
) -> None:
    """Property 3; a ControlNet is not the denoiser, so it keeps the prompt's text."""
    pipe = pipeline(name, parts)
    arguments = call(pipe, [TOXIC], **guidance(True, 1))
    edited = draw(pipe, arguments, every_site(pipe), [0], [DONORS["shorter"]])
    if name == "QwenImageControlNetPipeline":
        states, mask = QwenAdapter()._encode(pipe, arguments, [TOXIC])
        own = {"encoder_hidden_states": states, "encoder_hidden_states_mask": mask}
        hook = pipe.controlnet.register_forward_pre_hook(
            lambda _m, args, kwargs: (args, {**kwargs, **own}), with_kwargs=True
        )
    expected = plain(pipe, arguments, prompt=[DONORS["shorter"]])
    if name == "QwenImageControlNetPipeline":
        hook.remove()
    assert np.abs(edited - expected).max() < 1e-4


def test_text_is_cut_where_the_pipeline_cuts_it(parts: dict[str, Any]) -> None:
    """Prompt and donor at the call's `max_sequence_length`, not at the encoder's own default."""
    pipe, donor = pipeline("QwenImagePipeline", parts), DONORS["longer"]
    arguments = call(pipe, [TOXIC], max_sequence_length=12)
    edited = draw(pipe, arguments, every_site(pipe), [0], [donor])
    assert np.abs(edited - plain(pipe, arguments, prompt=[donor])).max() < 1e-4


def test_what_cannot_be_done_right_is_refused(parts: dict[str, Any]) -> None:
    """A flagged prompt as the negative one, and pooled text, of which there is none."""
    pipe = pipeline("QwenImagePipeline", parts)
    arguments = call(pipe, [TOXIC], negative_prompt=[TOXIC])
    with pytest.raises(SubstitutionError, match="negative prompt"):
        draw(pipe, arguments, (1,), [0], [DONORS["longer"]])
    with pytest.raises(SubstitutionError, match="no pooled text"):
        draw(pipe, arguments, (1,), [0], [DONORS["equal"]], swap_pooled=True)


def test_the_wrapped_pipeline_checks_its_prompts(guard: Guard, parts: dict[str, Any]) -> None:
    """Toxic text is found and substituted; sizes and embeddings are checked as well."""
    pipe = pipeline("QwenImagePipeline", parts)
    wrapped = GuardedPipeline(pipe, guard.checker, manifest=manifest(pipe, (1,)), reader=None)
    arguments = call(pipe, [HARMLESS, TOXIC])
    before = plain(pipe, arguments)
    arguments["generator"].manual_seed(3)
    drawing = wrapped.draw(arguments)
    assert [d.action for d in drawing.decisions] == [Action.ALLOW, Action.SUBSTITUTE]
    assert np.array_equal(drawing.output.images[0], before[0])
    assert not np.array_equal(drawing.output.images[1], before[1])
    with pytest.raises(InvalidInput, match="prompt_embeds"):
        wrapped(prompt_embeds=torch.zeros(1, 4, WIDTH))
    with pytest.raises(InvalidInput, match="width: must be a multiple of 8"):
        wrapped.check_size(30, None)
