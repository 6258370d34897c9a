"""What Sana's pipelines do beside the rest of tests/families/test_projected_caption.py: instruction, variants, sizes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.errors import InvalidInput
from inkguard.families.registry import adapter_for
from inkguard.guard import Guard
from inkguard.types import Action
from tests.families.calls import (
    DONORS,
    SHORT,
    TOXIC,
    call,
    draw,
    every_site,
    manifest,
    plain,
)
from tests.families.parts import sana_parts
from tests.families.pipelines import pipeline


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The nets are so small that a second thread only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@cache
def pipe_of(name: str) -> Any:
    return pipeline(name, sana_parts(distilled="Sprint" in name))


@pytest.mark.parametrize("name", ["SanaPipeline", "SanaSprintPipeline"])
def test_an_instruction_of_ones_own_is_refused(guard: Guard, name: str) -> None:
    """The model reads it before the prompt; the pipeline's own and none at all are let through."""
    pipe = pipe_of(name)
    wrapped = GuardedPipeline(pipe, guard.checker, manifest=manifest(pipe, (1,)), reader=None)
    with pytest.raises(InvalidInput, match=r"^complex_human_instruction: ") as refused:
        wrapped.draw(call(pipe, [SHORT], complex_human_instruction=[TOXIC]))
    assert "idiot" not in str(refused.value).lower()
    drawn = [
        wrapped.draw(call(pipe, [TOXIC], **more)).output.images
        for more in ({}, {"complex_human_instruction": None}, {"complex_human_instruction": []})
    ]
    assert not np.array_equal(drawn[0], drawn[1])
    assert np.array_equal(drawn[1], drawn[2])


@pytest.mark.parametrize("name", ["SanaPipeline", "SanaSprintPipeline"])
def test_without_an_instruction_all_sites_equal_the_donor_prompt(name: str) -> None:
    """Property 3 where the encoder reads the caption alone."""
    pipe = pipe_of(name)
    arguments = call(pipe, [SHORT, TOXIC], complex_human_instruction=None)
    donors = [SHORT, DONORS["longer"]]
    edited = draw(pipe, arguments, every_site(pipe), [1], donors)
    assert np.array_equal(edited, plain(pipe, arguments, prompt=donors))


def test_the_negative_prompt_is_read_without_the_instruction() -> None:
    """So the same words there are told from the flagged prompt's, and with all sites property 3 holds."""
    pipe = pipe_of("SanaPipeline")
    arguments, donors = call(pipe, [TOXIC], negative_prompt=[TOXIC]), [DONORS["equal"]]
    edited = draw(pipe, arguments, every_site(pipe), [0], donors)
    assert np.array_equal(edited, plain(pipe, arguments, prompt=donors))


def test_a_flagged_prompt_reads_with_its_donors_own_mask() -> None:
    """diffusers 0.42 gives rows each other's masks where there are several pictures of several prompts."""
    pipe = pipe_of("SanaPipeline")
    arguments = call(pipe, [SHORT, TOXIC], num_images_per_prompt=2, guidance_scale=1.0)
    donor = DONORS["longer"]
    biases: list[torch.Tensor] = []
    attn = pipe.transformer.transformer_blocks[1].attn2

    def listen(*_: Any) -> None:
        # Hooks run in the order in which they came; the edit's own is there first.
        attn_hook.append(
            attn.register_forward_pre_hook(
                lambda _module, _args, kwargs: biases.append(kwargs["attention_mask"]),
                with_kwargs=True,
            )
        )
        first.remove()

    attn_hook: list[Any] = []
    first = pipe.transformer.register_forward_pre_hook(listen)
    draw(pipe, arguments, (1,), [1], [SHORT, donor])
    attn_hook[0].remove()
    masks = adapter_for(pipe).encode(pipe, arguments, {"prompt": [donor]}, pipe.device).mask
    assert masks is not None
    assert len(biases) == 3
    for bias in biases:
        assert torch.equal(bias[2:, 0] == 0, masks.bool().expand(2, -1))


def test_several_flagged_prompts_read_their_own_donors(guard: Guard) -> None:
    """Two flagged prompts of different lengths, each with its own donor and mask."""
    pipe = pipe_of("SanaPipeline")
    wrapped = GuardedPipeline(
        pipe, guard.checker, manifest=manifest(pipe, every_site(pipe)), reader=None
    )
    arguments = call(pipe, [TOXIC, 'a sign that says "LOSER"'])
    drawing = wrapped.draw(arguments)
    assert [d.action for d in drawing.decisions] == [Action.SUBSTITUTE] * 2
    donors = [d.donor_prompt for d in drawing.decisions]
    assert np.array_equal(drawing.output.images, plain(pipe, arguments, prompt=donors))
