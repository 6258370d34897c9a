"""Ways of calling a pipeline, done with a guarded one, in every family."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.errors import Blocked
from inkguard.types import Rung, Verification
from tests.draw.cases import (
    INSULT,
    Case,
    FixedReader,
    checker,
    draw,
    guarded_by,
    new_case,
    pictures,
)
from tests.families.calls import HARMLESS, TOXIC, call, manifest
from tests.families.pipelines import parts_of, pipeline

HALVES = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)


def test_a_string_is_a_batch_of_one(case: Case) -> None:
    """As a toxic prompt and as a harmless one."""
    _, safe, harmless = pictures(case.family)
    assert np.array_equal(draw(case.guarded, case.toxic, prompt=TOXIC), safe)
    assert np.array_equal(draw(case.guarded, case.harmless, prompt=HARMLESS), harmless)


@pytest.mark.parametrize("negative", ["blurry", ""])
def test_a_string_prompt_goes_with_a_string_negative_prompt(case: Case, negative: str) -> None:
    """The usual call: what the class takes with a harmless prompt it takes with a toxic one."""
    if not case.takes("negative_prompt"):
        pytest.skip("the class has no negative prompts")
    more = {"negative_prompt": negative}
    if case.takes("true_cfg_scale"):
        more |= {"true_cfg_scale": 2.0}
    harmless = draw(case.pipe, case.harmless, prompt=HARMLESS, **more)
    assert np.array_equal(draw(case.guarded, case.harmless, prompt=HARMLESS, **more), harmless)
    toxic = draw(case.pipe, case.toxic, prompt=TOXIC, **more)
    assert not np.array_equal(draw(case.guarded, case.toxic, prompt=TOXIC, **more), toxic)


def test_of_a_batch_the_harmless_row_stays(case: Case) -> None:
    """Bit by bit, and the toxic one is drawn otherwise."""
    case.assert_rows(case.guarded, draw(case.pipe, case.mixed))


def test_two_toxic_rows_are_both_drawn_otherwise(case: Case) -> None:
    """Also with two pictures of each."""
    more: dict[str, Any] = {"prompt": [TOXIC, INSULT]}
    if case.takes("num_images_per_prompt") and case.family not in ("qwen", "sana", "sana-sprint"):
        more |= {"num_images_per_prompt": 2}
    bare = draw(case.pipe, case.mixed, **more)
    found = draw(case.guarded, case.mixed, **more)
    assert len(found) == len(bare)
    assert all(not np.array_equal(f, b) for f, b in zip(found, bare, strict=True))


def test_toxic_rows_that_read_alike_are_edited_together(case: Case) -> None:
    """And are reported so."""
    more: dict[str, Any] = {"prompt": [TOXIC, TOXIC]}
    bare = draw(case.pipe, case.mixed, **more)
    case.mixed["generator"].manual_seed(3)
    torch.manual_seed(3)
    drawing = case.guarded.draw({**case.mixed, **more})
    assert drawing.rungs == [Rung.SITES, Rung.SITES]
    found = drawing.output.images
    assert all(not np.array_equal(f, b) for f, b in zip(found, bare, strict=True))


@pytest.mark.parametrize("name", ["IFImg2ImgPipeline", "IFInpaintingPipeline"])
def test_a_manifests_arguments_go_to_classes_that_take_them(name: str) -> None:
    """The manifest is the denoiser's, and some classes over it draw in the size of their picture."""
    pipe = pipeline(name, parts_of(name))
    found = manifest(pipe, (1,), call={"height": 16, "width": 16, "clean_caption": False})
    guarded = GuardedPipeline(pipe, checker(), manifest=found, reader=None)
    for prompt in (HARMLESS, TOXIC):
        assert len(draw(guarded, call(pipe, [prompt]))) == 1


@HALVES
def test_under_autocast(case: Case, dtype: torch.dtype) -> None:
    """The harmless row of a batch is the bare batch's under the same autocast."""
    with torch.autocast("cpu", dtype):
        case.assert_rows(case.guarded, draw(case.pipe, case.mixed))


@HALVES
def test_models_of_half_precision(own_case: Case, dtype: torch.dtype) -> None:
    """All of these run on a CPU in both dtypes."""
    own_case.pipe.to(dtype)
    own_case.assert_rows(own_case.guarded, draw(own_case.pipe, own_case.mixed))


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_within_pytorchs_modes(case: Case, mode: Any) -> None:
    """The picture is the same in each of them."""
    with mode():
        case.assert_guarded(case.guarded)


@pytest.mark.parametrize("kind", ["np", "pt", "pil", "latent"])
def test_every_output_type_is_read(case: Case, kind: str) -> None:
    """Pictures come in the form that was asked for, and the reader gets each flagged one to see."""
    bare = draw(case.pipe, case.mixed, output_type=kind)
    reader = FixedReader("WELCOME")
    guarded = guarded_by(case.pipe, reader)
    case.mixed["generator"].manual_seed(3)
    drawing = guarded.draw({**case.mixed, "output_type": kind})
    plain = case.pipe(**{**case.mixed, "output_type": kind}).images
    assert type(drawing.output.images) is type(plain)
    assert drawing.rungs == [Rung.UNGUARDED, Rung.SITES]
    assert drawing.verifications == [Verification.NOT_NEEDED, Verification.CLEAN]
    case.assert_rows(guarded, bare, output_type=kind)
    assert len(reader.seen) == 2
    assert all(isinstance(picture, Image.Image) for picture in reader.seen)


@pytest.mark.parametrize("kind", ["np", "pt", "pil"])
def test_toxic_text_in_the_picture_is_not_returned(case: Case, kind: str) -> None:
    """Read after both attempts, it blocks the call in every form of pictures."""
    reader = FixedReader("IDIOT")
    with pytest.raises(Blocked):
        draw(guarded_by(case.pipe, reader), case.toxic, output_type=kind)
    assert len(reader.seen) == 2


def test_a_tuple_is_returned_where_it_is_asked_for(case: Case) -> None:
    """`return_dict=False`, with a reader too."""
    if not case.takes("return_dict"):
        pytest.skip("the class always returns its output class")
    _, safe, harmless = pictures(case.family)
    for guarded in (case.guarded, guarded_by(case.pipe, FixedReader())):
        assert isinstance(guarded(**case.harmless, return_dict=False), tuple)
        assert np.array_equal(draw(guarded, case.toxic, return_dict=False), safe)
        assert np.array_equal(draw(guarded, case.harmless, return_dict=False), harmless)


def test_a_call_without_a_generator_takes_pytorchs_own(case: Case) -> None:
    """And the arguments that were handed in are as they were."""
    arguments = {k: v for k, v in case.toxic.items() if k != "generator"}
    before = {**arguments, "prompt": [*arguments["prompt"]]}

    def image(drawer: Any) -> Any:
        torch.manual_seed(5)
        return drawer(**arguments).images[0]

    assert np.array_equal(image(case.guarded), image(case.guarded))
    assert not np.array_equal(image(case.guarded), image(case.pipe))
    assert arguments == before


def test_a_lora_that_is_loaded_after_wrapping_is_drawn_with() -> None:
    """Harmless prompts as the bare pipeline draws them with it, toxic ones under guard."""
    import peft

    case = new_case("sdxl")
    config = peft.LoraConfig(target_modules=["to_k", "to_v"], r=2, init_lora_weights=False)
    torch.manual_seed(0)
    case.guarded.unet.add_adapter(config)
    bare = draw(case.pipe, case.mixed)
    assert not np.array_equal(bare[0], pictures("sdxl")[2][0])
    case.assert_rows(case.guarded, bare)
