"""Stock `StableDiffusionXLPipeline`s with random weights under the guard."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.draw.load import model_folder
from inkguard.edit.cross_attention import cross_attention_sites
from inkguard.errors import InvalidInput
from inkguard.guard import Guard
from inkguard.manifests.manifest import Manifest
from inkguard.types import Action
from training import sdxl
from training.spelling_clip import new_spelling_clip, spelling_clip_tokenizer

TOXIC = 'a red sign that says "IDIOT" on a blue background with a yellow star'
HARMLESS = 'a cyan sign that says "WELCOME" on a brown background with a pink circle'


@pytest.fixture(scope="module")
def pipe() -> Any:
    torch.manual_seed(0)
    tokenizer = spelling_clip_tokenizer()
    clips = tuple(new_spelling_clip(tokenizer).eval() for _ in range(2))
    vae = AutoencoderKL.from_pretrained(model_folder("sd3-tiny") / "vae")
    text = sdxl.TextEncoders(clips=(clips[0], clips[1]), tokenizer=tokenizer)
    pipeline = sdxl.assemble(sdxl.new_unet().eval(), vae.float(), text)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def guarded(guard: Guard, pipe: Any, sites: tuple[int, ...], **manifest: Any) -> GuardedPipeline:
    names = [name for name, _ in cross_attention_sites(pipe.unet)]
    found = Manifest(
        name="test",
        pipeline=type(pipe).__name__,
        denoiser=type(pipe.unet).__name__,
        config={},
        weights_digest=None,
        source="measured",
        sites=sites,
        modules=tuple(names[s] for s in sites),
        start_step=0,
        call={"height": 64, "width": 96},
        **manifest,
    )
    return GuardedPipeline(pipe, guard.checker, manifest=found, reader=None)


def call(prompts: list[str], guidance: float = 5.0, each: int = 1) -> dict[str, Any]:
    return {
        "prompt": prompts,
        "height": 64,
        "width": 96,
        "guidance_scale": guidance,
        "num_images_per_prompt": each,
        "num_inference_steps": 2,
        "generator": torch.Generator().manual_seed(3),
        "output_type": "np",
    }


@pytest.mark.parametrize("each", [1, 2])
@pytest.mark.parametrize("guidance", [1.0, 5.0])
def test_in_a_mixed_batch_only_flagged_pictures_change(
    guard: Guard, pipe: Any, guidance: float, each: int
) -> None:
    """Harmless rows are bit-identical to the bare pipeline's same batch, with and without guidance."""
    prompts = [HARMLESS, TOXIC, HARMLESS]
    plain = pipe(**call(prompts, guidance, each)).images
    edited = guarded(guard, pipe, (2, 5))(**call(prompts, guidance, each)).images
    flagged = range(each, 2 * each)
    for n in range(3 * each):
        assert np.array_equal(plain[n], edited[n]) is (n not in flagged)


def test_all_sites_and_pooled_text_equal_the_donor_prompt(guard: Guard, pipe: Any) -> None:
    """Through the whole pipeline, bit by bit."""
    every = tuple(range(len(cross_attention_sites(pipe.unet))))
    wrapped = guarded(guard, pipe, every, swap_pooled=True)
    drawing = wrapped.draw(call([TOXIC]))
    donor = drawing.decisions[0].donor_prompt
    assert donor is not None
    assert np.array_equal(drawing.output.images, pipe(**call([donor])).images)


def test_the_second_prompt_argument_is_checked(guard: Guard, pipe: Any) -> None:
    """Toxic text in prompt_2 alone is found, and its donor used in that argument."""
    drawing = guarded(guard, pipe, (2,)).draw({**call([HARMLESS]), "prompt_2": [TOXIC]})
    assert drawing.decisions[0].action is Action.SUBSTITUTE


def test_embeddings_and_sizes_that_cannot_be_used_are_refused(guard: Guard, pipe: Any) -> None:
    """With the argument's name."""
    wrapped = guarded(guard, pipe, (2,))
    with pytest.raises(InvalidInput, match="prompt_embeds"):
        wrapped(prompt_embeds=torch.zeros(1, 40, 128))
    with pytest.raises(InvalidInput, match="width: must be a multiple of 8"):
        wrapped.check_size(100, None)
