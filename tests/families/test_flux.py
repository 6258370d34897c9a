"""Stock FLUX pipelines with random weights under the guard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from inkguard.errors import SubstitutionError
from inkguard.families.call_defaults import first_step
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
from tests.families.parts import flux_parts
from tests.families.pipelines import pipeline

DONOR = DONORS["equal"]


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
