"""The whole path on the embedded U-Nets: real weights, real classifier, real OCR."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.draw.load import load_pipeline, model_folder
from inkguard.families.registry import manifest_for
from inkguard.guard import Guard
from inkguard.types import Action, Request, Rung, Verification
from inkguard.verify import letters_of

TOXIC = 'a red sign that says "IDIOT" on a blue background with a yellow star'
HARMLESS = 'a cyan sign that says "WELCOME" on a brown background with a pink circle'


@pytest.fixture(scope="module", params=["sdxl-tiny", "if-tiny"])
def unet(guard: Guard, request: pytest.FixtureRequest) -> Guard:
    """A model of a cross-attention family with the classifier and OCR that are loaded already."""
    pipe, folder = load_pipeline(request.param)
    manifest = manifest_for(pipe, folder)
    pipeline = GuardedPipeline(
        pipe, guard.checker, manifest=manifest, reader=guard.pipeline.parts.reader
    )
    return Guard(pipeline)


@pytest.mark.parametrize("name", ["sdxl-tiny", "if-tiny"])
def test_its_manifest_is_of_these_weights(name: str) -> None:
    """It was measured, and has the digest of the shipped weights."""
    manifest = manifest_for(load_pipeline(name)[0], model_folder(name))
    assert manifest is not None
    assert (manifest.name, manifest.source) == (name, "measured")
    assert manifest.weights_digest is not None


def test_it_draws_the_donors_word(unet: Guard) -> None:
    """In place of the toxic one, at its sites alone, and OCR reads it."""
    outcome = unet.generate(Request(prompt=TOXIC, seed=5, steps=20))
    assert outcome.decision.action is Action.SUBSTITUTE
    assert (outcome.rung, outcome.verification) == (Rung.SITES, Verification.CLEAN)
    donor = outcome.decision.donor_prompt
    assert donor is not None
    reader = unet.pipeline.parts.reader
    assert reader is not None
    read = letters_of(reader.read(outcome.images[0]))
    assert read == letters_of(donor.split('"')[1])


@pytest.mark.parametrize("pictures", [1, 2])
def test_a_request_may_have_a_negative_prompt(unet: Guard, pictures: int) -> None:
    """It goes with a toxic prompt, also where the pipeline wants it of its prompt's type."""
    request = Request(
        prompt=TOXIC, negative_prompt="blurry", guidance_scale=4.0, steps=8, pictures=pictures
    )
    result = unet.generate(request)
    assert result.rung is Rung.SITES
    assert len(result.pictures) == pictures


def test_only_the_flagged_picture_of_a_batch_changes(unet: Guard) -> None:
    """The other one is bit-identical to the bare pipeline's."""

    def draw(pipe: Any) -> Any:
        return pipe(
            prompt=[HARMLESS, TOXIC],
            **unet.manifest.call,
            num_inference_steps=6,
            generator=torch.Generator().manual_seed(3),
            output_type="np",
        ).images

    bare = unet.pipeline._pipe
    unread = GuardedPipeline(bare, unet.checker, manifest=unet.manifest, reader=None)
    plain, edited = draw(bare), draw(unread)
    assert np.array_equal(plain[0], edited[0])
    assert not np.array_equal(plain[1], edited[1])
