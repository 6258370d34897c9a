"""Pictures that come into a call and go out of it."""

from __future__ import annotations

import inspect
from dataclasses import replace
from functools import cache
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.pipelines.pipeline_utils import ImagePipelineOutput
from diffusers.pipelines.stable_diffusion import StableDiffusionPipelineOutput
from PIL import Image, ImageDraw, ImageFont

from inkguard.check.checker import Checker
from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.draw.picture_call import GIVEN_PICTURE, TOXIC_PICTURE
from inkguard.draw.pictures import (
    OUTPUT_TYPES,
    drawn_pictures,
    given_pictures,
    has_pictures,
    withheld,
)
from inkguard.errors import Blocked, InvalidInput, VerificationError
from inkguard.families import BUILT_IN
from inkguard.guard import Guard
from inkguard.policy.model import Mode
from inkguard.types import Verification
from inkguard.verify import default_reader, letters_of
from tests.families.calls import HARMLESS, TOXIC, call, manifest, plain
from tests.families.pipelines import parts_of, pipeline

SUPPORTED = sorted(str(name) for family in BUILT_IN for name in family.pipelines)
WITH_LATENTS = [n for n in SUPPORTED if not n.startswith("IF")]
"""IF draws pixels."""


@cache
def pipe_of(name: str) -> Any:
    return pipeline(name, parts_of(name))


def sign(text: str, size: tuple[int, int] = (384, 192)) -> Image.Image:
    """Black letters on white."""
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).text((20, 60), text, "black", ImageFont.load_default(64))
    return picture


def pixels(pictures: list[Image.Image]) -> np.ndarray[Any, Any]:
    return np.stack([np.asarray(p) for p in pictures]).astype(int)


@pytest.mark.parametrize(
    ("name", "output_type"),
    # The pipelines' own form, "np" in these calls, is what the others are compared with.
    [
        (n, t)
        for n in SUPPORTED
        for t in OUTPUT_TYPES
        if t != "np" and (t != "latent" or n in WITH_LATENTS)
    ],
)
def test_what_is_drawn_can_be_read_in_every_form(name: str, output_type: str) -> None:
    """Latents are decoded as the class does: the pictures are those that it gives itself."""
    pipe = pipe_of(name)
    arguments = call(pipe, [HARMLESS], num_inference_steps=2)
    own = own_pixels(name)
    other = {**arguments, "output_type": output_type}
    found = pixels(drawn_pictures(pipe, other, _output(pipe, other)))
    assert found.shape == own.shape
    # Pictures are rounded to 256 steps in one way by PIL's path and in another by ours.
    assert np.abs(found - own).max() <= 1


@cache
def own_pixels(name: str) -> np.ndarray[Any, Any]:
    pipe = pipe_of(name)
    arguments = call(pipe, [HARMLESS], num_inference_steps=2)
    return pixels(drawn_pictures(pipe, arguments, _output(pipe, arguments)))


def _output(pipe: Any, arguments: dict[str, Any]) -> Any:
    arguments["generator"].manual_seed(3)
    torch.manual_seed(3)
    return pipe(**arguments)


@pytest.mark.parametrize("name", SUPPORTED)
def test_everything_that_a_class_draws_from_is_read(name: str) -> None:
    """Each argument that takes a picture yields one or more; those that are left out none."""
    pipe = pipe_of(name)
    arguments = call(pipe, [HARMLESS])
    takes = inspect.signature(getattr(diffusers, name).__call__).parameters
    wanted = {
        n
        for n in ("image", "mask_image", "control_image", "control_mask", "original_image")
        if n in takes and n in arguments
    }
    found = {n for n, picture in given_pictures(pipe, arguments) if picture.size[0] > 0}
    assert wanted <= found


@pytest.mark.parametrize(
    "form",
    [
        lambda p: p,
        lambda p: [p],
        lambda p: np.asarray(p),
        lambda p: np.asarray(p)[None] / 255.0,
        lambda p: torch.tensor(np.asarray(p)).permute(2, 0, 1)[None] / 255.0,
        lambda p: torch.tensor(np.asarray(p)).permute(2, 0, 1) / 127.5 - 1.0,
        lambda p: torch.tensor(np.asarray(p.convert("L")))[None] / 3.0,
        lambda p: np.asarray(p.convert("L")),
        lambda p: [[p], [torch.tensor(np.asarray(p)).permute(2, 0, 1) / 255.0]],
    ],
)
def test_a_word_is_read_in_every_form_of_a_picture(form: Any) -> None:
    """Whatever its scale, and wherever its channels stand."""
    pipe = pipe_of("StableDiffusionImg2ImgPipeline")
    found = [p for _, p in given_pictures(pipe, {"image": form(sign("HELLO"))})]
    assert found
    assert all(letters_of(default_reader().read(p)) == "hello" for p in found)


def test_one_number_far_away_does_not_hide_the_rest() -> None:
    """In a tensor of any scale."""
    pipe = pipe_of("StableDiffusionImg2ImgPipeline")
    tensor = torch.tensor(np.asarray(sign("HELLO"))).permute(2, 0, 1)[None] / 255.0
    tensor[0, 0, 0, 0] = 1e6
    (found,) = (p for _, p in given_pictures(pipe, {"image": tensor}))
    assert letters_of(default_reader().read(found)) == "hello"


def test_masks_and_depth_maps_are_never_taken_for_channels() -> None:
    """Three of them are three pictures; the masks of an IP-Adapter are read as well."""
    pipe = pipe_of("StableDiffusionImg2ImgPipeline")
    words = ("ONE", "TWO", "SIX")
    maps = torch.stack([torch.tensor(np.asarray(sign(w).convert("L"))) for w in words]).float()
    for call_of in (
        {"depth_map": maps},
        {"mask_image": maps[:, None]},
        {"cross_attention_kwargs": {"ip_adapter_masks": [maps[None]]}},
    ):
        assert has_pictures(call_of)
        read = [default_reader().read(p) for _, p in given_pictures(pipe, call_of)]
        assert read == [*words]
    assert not has_pictures({"cross_attention_kwargs": {"scale": 1.0}, "image": None})


def test_a_tensor_with_its_channels_last_is_one_picture() -> None:
    """And not one for each of its rows."""
    pipe = pipe_of("StableDiffusionImg2ImgPipeline")
    tensor = torch.tensor(np.asarray(sign("HELLO"))) / 255.0
    (found,) = (p for _, p in given_pictures(pipe, {"image": tensor}))
    assert found.size == (384, 192)


@pytest.mark.parametrize("value", [3, "file.png", {"a": 1}, torch.zeros(1, 3), torch.zeros(3)])
def test_what_is_no_picture_is_refused_or_reads_as_nothing(value: Any) -> None:
    """An error names the argument and the kind of thing, and nothing of what is in it."""
    pipe = pipe_of("StableDiffusionImg2ImgPipeline")
    if isinstance(value, torch.Tensor) and value.ndim > 1:
        assert all(min(p.size) > 0 for _, p in given_pictures(pipe, {"image": value}))
        return
    with pytest.raises(InvalidInput, match=r"^image: an? .* is no picture"):
        list(given_pictures(pipe, {"image": value}))


@pytest.mark.parametrize("name", ["StableDiffusionXLPipeline", "FluxPipeline", "QwenImagePipeline"])
def test_latents_are_read_as_the_picture_that_they_are(name: str) -> None:
    """Those of a drawn picture decode to it; those of another form are refused."""
    pipe = pipe_of(name)
    arguments = call(pipe, [HARMLESS], num_inference_steps=2)
    drawn = pixels(drawn_pictures(pipe, arguments, _output(pipe, arguments)))
    latents = _output(pipe, {**arguments, "output_type": "latent"}).images
    found = [p for _, p in given_pictures(pipe, {**arguments, "latents": latents})]
    assert np.abs(pixels(found) - drawn).max() <= 1
    with pytest.raises(InvalidInput, match=r"^latents: "):
        list(given_pictures(pipe, {**arguments, "latents": torch.zeros(2)}))


@pytest.mark.parametrize("output_type", ["np", "pt"])
def test_pictures_of_no_numbers_are_an_error(output_type: str) -> None:
    """They would be black, and black reads as clean."""
    pipe = pipe_of("StableDiffusionPipeline")
    array = np.full((1, 3, 8, 8) if output_type == "pt" else (1, 8, 8, 3), np.nan)
    images = torch.tensor(array) if output_type == "pt" else array
    with pytest.raises(VerificationError, match="NaN or infinite"):
        drawn_pictures(pipe, {"output_type": output_type}, (images,))


@pytest.mark.parametrize(
    ("output", "hidden"),
    [
        (
            StableDiffusionPipelineOutput(images=[], nsfw_content_detected=[True, False]),
            [True, False],
        ),
        (StableDiffusionPipelineOutput(images=[], nsfw_content_detected=None), []),
        (ImagePipelineOutput(images=[]), []),
        (([], [True]), [True]),
        (([],), []),
        (([], None), []),
    ],
)
def test_what_a_safety_checker_blacked_out_is_known(output: Any, hidden: list[bool]) -> None:
    """Such a picture is of one colour, and that is no fault of the model."""
    assert withheld(output) == hidden


def test_a_picture_of_one_colour_is_an_error_and_a_withheld_one_is_none(guard: Guard) -> None:
    """For a toxic prompt, whose picture is read; the pipeline's own safety checker says which it is."""
    pipe = pipeline("StableDiffusionPipeline", parts_of("StableDiffusionPipeline"))
    arguments = call(pipe, [TOXIC], output_type="pil", num_inference_steps=2)
    wrapped = GuardedPipeline(
        pipe, guard.checker, manifest=manifest(pipe, (1,)), reader=default_reader()
    )
    decode = pipe.vae.decode
    pipe.vae.decode = lambda *a, **k: (torch.zeros_like(decode(*a, **k)[0]),)
    with pytest.raises(VerificationError, match="one colour"):
        wrapped(**arguments)
    pipe.run_safety_checker = lambda image, *_: (image, [True])
    assert wrapped.draw(arguments).verifications == [Verification.CLEAN]


def image_to_image(guard: Guard) -> GuardedPipeline:
    return guard.pipeline.as_class(diffusers.StableDiffusion3Img2ImgPipeline)


@pytest.fixture(scope="module")
def toxic_picture(guard: Guard) -> Image.Image:
    """A picture that the embedded model drew unguarded."""
    assert guard.manifest is not None
    pipe = guard.pipeline._pipe
    generator = torch.Generator().manual_seed(1)
    picture: Image.Image = pipe(
        'a white sign that says "LOSER" on a blue background with a yellow star',
        **guard.manifest.call,
        num_inference_steps=16,
        generator=generator,
    ).images[0]
    assert "loser" in letters_of(default_reader().read(picture))
    return picture


def test_a_picture_with_a_toxic_word_is_not_given_back(
    guard: Guard, toxic_picture: Image.Image
) -> None:
    """Image to image at strength 0.1 returns its picture; a harmless prompt does not help it past."""
    arguments = {"num_inference_steps": 20, "strength": 0.1, "height": 64, "width": 96}
    wrapped = image_to_image(guard)
    bare = wrapped._pipe(HARMLESS, image=toxic_picture, **arguments).images[0]
    assert "loser" in letters_of(default_reader().read(bare))
    with pytest.raises(Blocked) as blocked:
        wrapped(HARMLESS, image=toxic_picture, **arguments)
    assert blocked.value.decision.reason == GIVEN_PICTURE
    assert "loser" not in str(blocked.value).lower()


def test_a_policy_in_shadow_mode_gives_the_picture_back(
    guard: Guard, toxic_picture: Image.Image
) -> None:
    """It changes nothing that is drawn."""
    policy = replace(guard.checker.policy, mode=Mode.SHADOW)
    wrapped = GuardedPipeline(
        image_to_image(guard)._pipe,
        Checker(policy, None),
        manifest=guard.manifest,
        reader=default_reader(),
    )
    size = {"num_inference_steps": 20, "strength": 0.1, "height": 64, "width": 96}
    drawing = wrapped.draw({"prompt": HARMLESS, "image": toxic_picture, **size})
    assert drawing.verifications == [Verification.NOT_NEEDED]


def test_what_a_harmless_picture_becomes_is_read_too(guard: Guard) -> None:
    """The rows of a call that starts from a picture are verified, flagged or not."""
    wrapped = image_to_image(guard)
    blank = Image.new("RGB", (96, 64), "navy")
    drawing = wrapped.draw(
        {
            "prompt": HARMLESS,
            "image": blank,
            "num_inference_steps": 8,
            "strength": 0.9,
            "generator": torch.Generator().manual_seed(1),
        }
    )
    assert drawing.verifications == [Verification.CLEAN]


def test_latents_of_a_toxic_picture_are_blocked(guard: Guard, toxic_picture: Image.Image) -> None:
    """Handed in as the noise to start from."""
    pipe = guard.pipeline._pipe
    pixels = torch.tensor(np.asarray(toxic_picture)).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        latents = pipe.vae.encode(pixels).latent_dist.mode()
    config = pipe.vae.config
    latents = (latents - (config.shift_factor or 0)) * config.scaling_factor
    with pytest.raises(Blocked) as blocked:
        guard.pipeline(HARMLESS, latents=latents, num_inference_steps=4)
    assert blocked.value.decision.reason == GIVEN_PICTURE


def test_a_callback_that_paints_a_toxic_picture_is_found_out(
    guard: Guard, toxic_picture: Image.Image
) -> None:
    """Latents may be changed between two steps; then the picture is read, whatever its prompt."""
    pipe = guard.pipeline._pipe
    pixels = torch.tensor(np.asarray(toxic_picture)).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        painted = pipe.vae.encode(pixels).latent_dist.mode()
    config = pipe.vae.config
    painted = (painted - (config.shift_factor or 0)) * config.scaling_factor

    def swap(_pipe: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        return {**tensors, "latents": painted}

    def write(_pipe: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        tensors["latents"].copy_(painted)
        return tensors

    for callback in (swap, write):
        with pytest.raises(Blocked) as blocked:
            guard.pipeline(HARMLESS, num_inference_steps=2, callback_on_step_end=callback)
        assert blocked.value.decision.reason == TOXIC_PICTURE


def test_a_form_that_cannot_be_read_is_refused_before_drawing(guard: Guard) -> None:
    """For harmless prompts too; without verification the pipeline decides."""
    made: list[int] = []
    with pytest.raises(InvalidInput, match=r"^output_type: "):
        guard.pipeline.draw(
            {"prompt": HARMLESS, "output_type": "webp"}, on_step=lambda *_: made.append(1)
        )
    assert not made
    pipe = pipe_of("StableDiffusionPipeline")
    unread = GuardedPipeline(pipe, guard.checker, manifest=manifest(pipe, (1,)), reader=None)
    arguments = call(pipe, [HARMLESS], output_type="np")
    assert np.array_equal(
        plain(pipe, arguments), unread(**{**arguments, "generator": _again(arguments)}).images
    )


def _again(arguments: dict[str, Any]) -> torch.Generator:
    generator: torch.Generator = arguments["generator"]
    return generator.manual_seed(3)
