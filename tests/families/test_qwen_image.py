"""Stock Qwen-Image pipelines with random weights under the guard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from inkguard.errors import SubstitutionError
from tests.families.calls import (
    DONORS,
    HARMLESS,
    SHORT,
    TOXIC,
    call,
    draw,
    every_site,
    plain,
)
from tests.families.parts import qwen_parts
from tests.families.pipelines import pipeline


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
