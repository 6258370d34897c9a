"""The whole path on the embedded model: real weights, real classifier, real OCR."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from inkguard.check.checker import Checker
from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.errors import Blocked, ClassifierError, InvalidInput
from inkguard.guard import Guard
from inkguard.types import Action, Method, Request, Rung, Verification
from inkguard.verify import letters_of

TOXIC = 'a red sign that says "IDIOT" on a blue background with a yellow star'
HARMLESS = 'a cyan sign that says "WELCOME" on a brown background with a pink circle'
STEPS = 4


def call(
    prompts: list[str], *, guidance: float = 3.0, each: int = 1, steps: int = STEPS
) -> dict[str, Any]:
    return {
        "prompt": prompts,
        "height": 64,
        "width": 96,
        "max_sequence_length": 40,
        "guidance_scale": guidance,
        "num_images_per_prompt": each,
        "num_inference_steps": steps,
        "generator": torch.Generator().manual_seed(3),
        "output_type": "np",
    }


@pytest.fixture(scope="module")
def unverified(guard: Guard) -> GuardedPipeline:
    """The embedded pipeline under the default policy, without OCR."""
    return GuardedPipeline(
        guard.pipeline._pipe, guard.checker, manifest=guard.manifest, reader=None
    )


@pytest.mark.parametrize("each", [1, 2])
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_in_a_mixed_batch_only_flagged_pictures_change(
    unverified: GuardedPipeline, guidance: float, each: int
) -> None:
    """Harmless rows are bit-identical to the bare pipeline's same batch, with and without guidance."""
    prompts = [HARMLESS, TOXIC, HARMLESS]
    plain = unverified._pipe(**call(prompts, guidance=guidance, each=each)).images
    edited = unverified(**call(prompts, guidance=guidance, each=each)).images
    flagged = range(each, 2 * each)
    for n in range(3 * each):
        assert np.array_equal(plain[n], edited[n]) is (n not in flagged)


def test_harmless_prompts_are_bit_identical(unverified: GuardedPipeline) -> None:
    """Where nothing is flagged the guard adds nothing at all."""
    plain = unverified._pipe(**call([HARMLESS])).images
    assert np.array_equal(plain, unverified(**call([HARMLESS])).images)


def test_the_second_prompt_argument_is_checked(unverified: GuardedPipeline) -> None:
    """Toxic text in prompt_3 alone is found, and its donor used in that argument."""
    arguments = {**call([HARMLESS]), "prompt_3": [TOXIC]}
    drawing = unverified.draw(arguments)
    assert drawing.decisions[0].action is Action.SUBSTITUTE


def test_embeddings_are_refused(unverified: GuardedPipeline) -> None:
    """Text that cannot be read cannot be checked."""
    with pytest.raises(InvalidInput, match="prompt_embeds"):
        unverified(prompt_embeds=torch.zeros(1, 60, 128))


def test_a_guarded_picture_does_not_show_the_word(guard: Guard) -> None:
    """OCR does not find the insult in the picture that is returned; the outcome says how it came."""
    outcome = guard.generate(Request(prompt=TOXIC, seed=1))
    assert outcome.decision.action is Action.SUBSTITUTE
    if outcome.image is not None:
        from inkguard.verify import default_reader

        assert "idiot" not in letters_of(default_reader().read(outcome.image))
        assert outcome.verification is Verification.CLEAN
        assert outcome.rung in {Rung.SITES, Rung.ALL_LAYERS}
    else:
        assert outcome.rung is Rung.BLOCK


class Broken:
    """A classifier that always fails."""

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        raise ClassifierError("the classifier is down")


class StubbornReader:
    """Reads the same toxic word in every picture."""

    def read(self, image: Image.Image) -> str:
        return "IDIOT"


def test_toxic_text_on_every_rung_ends_in_block(guard: Guard) -> None:
    """Sites, then all layers, then no picture; the caller's generator makes the same noise on each."""
    pipeline = GuardedPipeline(
        guard.pipeline._pipe, guard.checker, manifest=guard.manifest, reader=StubbornReader()
    )
    outcome = Guard(pipeline).generate(Request(prompt=TOXIC, steps=2))
    assert outcome.image is None
    assert outcome.rung is Rung.BLOCK
    assert outcome.verification is Verification.TOXIC_TEXT
    arguments = {**call([TOXIC], steps=2), "output_type": "pil"}
    with pytest.raises(Blocked) as caught:
        pipeline(**arguments)
    assert "IDIOT" not in str(caught.value)


def test_a_second_rung_repeats_the_noise(guard: Guard) -> None:
    """Without a generator of the caller's too: PyTorch's own is set back for it."""
    pipe = guard.pipeline._pipe
    pipeline = GuardedPipeline(pipe, guard.checker, manifest=guard.manifest, reader=Once())
    arguments = {**call([HARMLESS, TOXIC], steps=2), "output_type": "pil", "generator": None}
    torch.manual_seed(11)
    second = pipeline(**arguments).images[0]
    torch.manual_seed(11)
    plain = pipe(**arguments).images[0]
    assert np.array_equal(second, plain)


class Once:
    """Reads a toxic word in the first picture alone."""

    def __init__(self) -> None:
        self.pictures = 0

    def read(self, image: Image.Image) -> str:
        self.pictures += 1
        return "IDIOT" if self.pictures == 1 else "HELLO"


def test_a_failing_classifier_draws_nothing(guard: Guard) -> None:
    """The default policy blocks on a classifier error, before the denoiser runs."""
    pipeline = GuardedPipeline(
        guard.pipeline._pipe, Checker(guard.checker.policy, Broken()), manifest=None, reader=None
    )
    with pytest.raises(Blocked):
        pipeline(**call([HARMLESS]))


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (Request(prompt=" "), "prompt"),
        (Request(prompt="x", steps=0), "steps"),
        (Request(prompt="x", seed=-1), "seed"),
        (Request(prompt="x", pictures=17), "pictures: must be 1 to 16, got 17"),
        (Request(prompt="x", guidance_scale=1e9), "guidance_scale"),
        (Request(prompt="x", width=100), "width: must be a multiple of 8 from 8 to 192, got 100"),
        (Request(prompt="x", height=4096), "height"),
    ],
)
def test_bad_requests_name_the_field(guard: Guard, request_: Request, field: str) -> None:
    """The message says which field, the limit and the value."""
    with pytest.raises(InvalidInput, match=field):
        guard.generate(request_)


def test_the_method_none_draws_the_bare_picture(guard: Guard) -> None:
    """For measuring: the unguarded picture is the bare pipeline's."""
    plain = guard.pipeline._pipe(
        **{**call([TOXIC], steps=3), "generator": torch.Generator().manual_seed(5)}
    )
    outcome = guard.generate(Request(prompt=TOXIC, seed=5, steps=3, method=Method.NONE))
    assert outcome.image is not None
    same = (plain.images[0] * 255).round().astype(np.uint8)
    assert np.array_equal(np.asarray(outcome.image), same)
    assert outcome.verification is Verification.NOT_VERIFIED


def test_fifty_pictures_do_not_grow_memory(guard: Guard) -> None:
    """Resident memory after 50 one-step requests is within 40 MB of that after 10."""
    import psutil

    process = psutil.Process()

    def draw(count: int) -> int:
        for seed in range(count):
            guard.generate(Request(prompt=TOXIC, seed=seed, steps=1, method=Method.NONE))
        return int(process.memory_info().rss)

    before = draw(10)
    assert draw(40) - before < 40_000_000
