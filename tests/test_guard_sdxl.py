"""The whole path on the embedded SDXL model: real weights, real classifier, real OCR."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from guard.generate.load import load_pipeline, model_folder
from guard.guard import Guard
from guard.substitute.manifest import find_manifest
from guard.types import Action, Request, Rung, Verification
from guard.verify import letters_of
from guard.wrap import GuardedPipeline

TOXIC = 'a red sign that says "IDIOT" on a blue background with a yellow star'
HARMLESS = 'a cyan sign that says "WELCOME" on a brown background with a pink circle'


@pytest.fixture(scope="module")
def sdxl(guard: Guard) -> Guard:
    """sdxl-tiny with the classifier and OCR that are loaded already."""
    pipe, folder = load_pipeline("sdxl-tiny")
    manifest = find_manifest(pipe.unet, folder)
    pipeline = GuardedPipeline(
        pipe, guard.checker, manifest=manifest, reader=guard.pipeline._reader
    )
    return Guard(guard.checker, pipeline, manifest)


def test_its_manifest_is_of_these_weights(sdxl: Guard) -> None:
    """It was measured, and has the digest of the shipped weights."""
    manifest = find_manifest(sdxl.pipeline._pipe.unet, model_folder("sdxl-tiny"))
    assert (manifest.name, manifest.source) == ("sdxl-tiny", "measured")
    assert manifest.weights_digest is not None


def test_it_draws_the_donors_word(sdxl: Guard) -> None:
    """In place of the toxic one, at its sites alone, and OCR reads it."""
    outcome = sdxl.generate(Request(prompt=TOXIC, seed=5, steps=20))
    assert outcome.decision.action is Action.SUBSTITUTE
    assert (outcome.rung, outcome.verification) == (Rung.SITES, Verification.CLEAN)
    donor = outcome.decision.donor_prompt
    assert donor is not None
    assert sdxl.pipeline._reader is not None
    read = letters_of(sdxl.pipeline._reader.read(outcome.images[0]))
    assert read == letters_of(donor.split('"')[1])


def test_only_the_flagged_picture_of_a_batch_changes(sdxl: Guard) -> None:
    """The other one is bit-identical to the bare pipeline's."""

    def draw(pipe: Any) -> Any:
        return pipe(
            prompt=[HARMLESS, TOXIC],
            height=64,
            width=96,
            guidance_scale=3.0,
            num_inference_steps=6,
            generator=torch.Generator().manual_seed(3),
            output_type="np",
        ).images

    bare = sdxl.pipeline._pipe
    unread = GuardedPipeline(bare, sdxl.checker, manifest=sdxl.manifest, reader=None)
    plain, edited = draw(bare), draw(unread)
    assert np.array_equal(plain[0], edited[0])
    assert not np.array_equal(plain[1], edited[1])
