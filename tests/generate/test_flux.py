"""Stock FLUX pipelines with random weights under the guard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    FluxControlNetModel,
    FluxControlNetPipeline,
    FluxImg2ImgPipeline,
    FluxInpaintPipeline,
    FluxPipeline,
    FluxTransformer2DModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

from guard.errors import InvalidInput, SubstitutionError
from guard.generate.arguments import first_step
from guard.generate.flux import FluxAdapter
from guard.guard import Guard
from guard.reference.spelling_clip import spelling_clip_tokenizer
from guard.reference.tokenizers import T5_LENGTH, t5_tokenizer
from guard.substitute.manifest import Manifest
from guard.types import Action
from guard.wrap import GuardedPipeline

TOXIC = 'a red sign that says "IDIOT" on a blue background with a yellow star'
DONOR = 'a red sign that says "HELLO" on a blue background with a yellow star'
HARMLESS = 'a cyan sign that says "WELCOME" on a brown background with a pink circle'
FAMILY = {
    "FluxPipeline": FluxPipeline,
    "FluxImg2ImgPipeline": FluxImg2ImgPipeline,
    "FluxInpaintPipeline": FluxInpaintPipeline,
    "FluxControlNetPipeline": FluxControlNetPipeline,
}
WIDTH, SIDE, SITES = 32, 16, 4
_TRANSFORMER: dict[str, Any] = {
    "in_channels": 16,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": WIDTH,
    "pooled_projection_dim": WIDTH,
    "guidance_embeds": True,
    "axes_dims_rope": (4, 4, 8),
}
ADAPTER = FluxAdapter()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The nets are so small that a second thread only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def randomise(module: torch.nn.Module) -> None:
    """Larger weights than the initial ones, so that text moves the picture by more than rounding."""
    for parameter in module.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.15)


def new_components() -> dict[str, Any]:
    torch.manual_seed(0)
    clip_tokenizer, tokenizer = spelling_clip_tokenizer(), t5_tokenizer()
    transformer = FluxTransformer2DModel(num_layers=2, num_single_layers=2, **_TRANSFORMER)
    randomise(transformer)
    clip = CLIPTextConfig(
        vocab_size=len(clip_tokenizer),
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=clip_tokenizer.model_max_length,
        eos_token_id=clip_tokenizer.eos_token_id,
    )
    t5 = T5Config(
        vocab_size=len(tokenizer), d_model=WIDTH, d_kv=8, d_ff=WIDTH, num_layers=1, num_heads=4
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        up_block_types=("UpDecoderBlock2D", "UpDecoderBlock2D"),
        latent_channels=4,
        norm_num_groups=4,
        sample_size=SIDE,
        scaling_factor=1.0,
        shift_factor=0.0,
    )
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(),
        "vae": vae.eval(),
        "text_encoder": CLIPTextModel(clip).eval(),
        "tokenizer": clip_tokenizer,
        "text_encoder_2": T5EncoderModel(t5).eval(),
        "tokenizer_2": tokenizer,
        "transformer": transformer.eval(),
    }


@pytest.fixture(scope="module")
def components() -> dict[str, Any]:
    return new_components()


def pipeline(components: dict[str, Any], name: str = "FluxPipeline") -> Any:
    more = {}
    if name == "FluxControlNetPipeline":
        torch.manual_seed(1)
        more["controlnet"] = FluxControlNetModel(num_layers=1, num_single_layers=1, **_TRANSFORMER)
        randomise(more["controlnet"])
    pipe = FAMILY[name](**components, **more)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def call(pipe: Any, prompts: list[str], **more: Any) -> dict[str, Any]:
    picture = np.random.default_rng(0).random((1, SIDE, SIDE, 3), dtype=np.float32)
    name = type(pipe).__name__
    special: dict[str, dict[str, Any]] = {
        "FluxImg2ImgPipeline": {"image": picture, "strength": 0.7},
        "FluxInpaintPipeline": {
            "image": picture,
            "mask_image": (picture[..., :1] > 0.5).astype(np.float32),
            "strength": 0.7,
        },
        "FluxControlNetPipeline": {"control_image": torch.tensor(picture).permute(0, 3, 1, 2)},
    }
    return {
        "prompt": prompts,
        "height": SIDE,
        "width": SIDE,
        "num_inference_steps": 3,
        "max_sequence_length": T5_LENGTH,
        "generator": torch.Generator().manual_seed(3),
        "output_type": "np",
        **special.get(name, {}),
        **more,
    }


def manifest(pipe: Any, sites: tuple[int, ...], **more: Any) -> Manifest:
    names = [name for name, _ in ADAPTER.sites(pipe)]
    return Manifest(
        name="test",
        pipeline=type(pipe).__name__,
        denoiser="FluxTransformer2DModel",
        config={},
        weights_digest=None,
        source="measured",
        sites=sites,
        modules=tuple(names[s] for s in sites),
        **{"start_step": 0, **more},
    )


def draw(
    pipe: Any,
    arguments: dict[str, Any],
    sites: tuple[int, ...],
    rows: list[int],
    donors: dict[str, list[str]],
    **more: Any,
) -> np.ndarray[Any, Any]:
    """The pictures of a pipeline call with `rows` substituted; the generator starts afresh."""
    arguments["generator"].manual_seed(3)
    edit = ADAPTER.substituted(pipe, manifest(pipe, sites, **more), arguments, rows, donors)
    with edit:
        images: np.ndarray[Any, Any] = pipe(**arguments).images
    return images


def guidance(kind: str, count: int) -> dict[str, Any]:
    """Distilled guidance alone, or true guidance by a negative prompt beside it."""
    if kind == "distilled":
        return {"guidance_scale": 3.5}
    return {"true_cfg_scale": 4.0, "negative_prompt": ["a blue circle"] * count}


GUIDANCE = pytest.mark.parametrize("kind", ["distilled", "true"])


@GUIDANCE
@pytest.mark.parametrize("each", [1, 2])
@pytest.mark.parametrize("name", list(FAMILY))
def test_in_a_mixed_batch_only_flagged_pictures_change(
    components: dict[str, Any], name: str, each: int, kind: str
) -> None:
    """Property 2 in every pipeline: harmless rows are bit-identical to the bare pipeline's same batch."""
    pipe = pipeline(components, name)
    prompts = [HARMLESS, TOXIC, HARMLESS]
    arguments = call(pipe, prompts, num_images_per_prompt=each, **guidance(kind, 3))
    plain = pipe(**arguments).images
    edited = draw(pipe, arguments, (1, 2), [1], {"prompt": [HARMLESS, DONOR, HARMLESS]})
    flagged = range(each, 2 * each)
    for n in range(3 * each):
        assert np.array_equal(plain[n], edited[n]) is (n not in flagged)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_prompts_own_text_changes_nothing(
    components: dict[str, Any], dtype: torch.dtype
) -> None:
    """Property 1 through the whole pipeline: within 1e-5 of white in float32, 3 % in bfloat16."""
    pipe = pipeline(components if dtype == torch.float32 else new_components()).to(dtype)
    arguments = call(pipe, [HARMLESS, TOXIC])
    plain = pipe(**arguments).images
    edited = draw(pipe, arguments, tuple(range(SITES)), [1], {"prompt": [HARMLESS, TOXIC]})
    assert np.array_equal(plain[0], edited[0])
    assert np.abs(edited - plain).max() < (1e-5 if dtype == torch.float32 else 0.03)


@GUIDANCE
@pytest.mark.parametrize("name", list(FAMILY))
def test_all_sites_and_pooled_text_equal_the_donor_prompt(
    components: dict[str, Any], name: str, kind: str
) -> None:
    """Property 3 in every pipeline; a ControlNet is not the denoiser, so it keeps the prompt's text."""
    pipe = pipeline(components, name)
    every, donors = tuple(range(SITES)), {"prompt": [DONOR]}
    arguments = call(pipe, [TOXIC], **guidance(kind, 1))
    edited = draw(pipe, arguments, every, [0], donors, swap_pooled=True)
    arguments["generator"].manual_seed(3)
    if name == "FluxControlNetPipeline":
        states, pooled = ADAPTER._encode(pipe, arguments, {"prompt": [TOXIC]})
        hook = pipe.controlnet.register_forward_pre_hook(
            lambda _m, args, kwargs: (
                args,
                {**kwargs, "encoder_hidden_states": states, "pooled_projections": pooled},
            ),
            with_kwargs=True,
        )
    expected = pipe(**{**arguments, "prompt": [DONOR]}).images
    if name == "FluxControlNetPipeline":
        hook.remove()
    assert np.abs(edited - expected).max() < 1e-4
    arguments["generator"].manual_seed(3)
    assert np.abs(pipe(**arguments).images - expected).max() > 1e-3


def test_a_word_that_only_clip_reads_is_taken_out_of_the_pooled_text(
    components: dict[str, Any],
) -> None:
    """With a harmless prompt_2 there is nothing at the sites: the pooled text is the donor's then."""
    pipe = pipeline(components)
    arguments = call(pipe, [TOXIC], prompt_2=[HARMLESS])
    edited = draw(pipe, arguments, (1,), [0], {"prompt": [DONOR], "prompt_2": [HARMLESS]})
    arguments["generator"].manual_seed(3)
    expected = pipe(**{**arguments, "prompt": [DONOR]}).images
    assert np.abs(edited - expected).max() < 1e-4


def test_a_word_that_only_t5_reads_is_substituted(components: dict[str, Any]) -> None:
    """Toxic text in prompt_2 alone: with all sites the picture is that of the donor's prompt_2."""
    pipe = pipeline(components)
    arguments = call(pipe, [HARMLESS], prompt_2=[TOXIC])
    donors = {"prompt": [HARMLESS], "prompt_2": [DONOR]}
    edited = draw(pipe, arguments, tuple(range(SITES)), [0], donors)
    arguments["generator"].manual_seed(3)
    expected = pipe(**{**arguments, "prompt_2": [DONOR]}).images
    assert np.abs(edited - expected).max() < 1e-4


def test_rows_that_cannot_be_told_apart_are_refused(components: dict[str, Any]) -> None:
    """A flagged and a harmless prompt with one prompt_2; a flagged prompt as the negative one."""
    pipe = pipeline(components)
    arguments = call(pipe, [TOXIC, HARMLESS], prompt_2=[HARMLESS, HARMLESS])
    donors = {"prompt": [DONOR, HARMLESS], "prompt_2": [HARMLESS, HARMLESS]}
    with pytest.raises(SubstitutionError, match="cannot be told apart"):
        draw(pipe, arguments, (1,), [0], donors)
    arguments = call(pipe, [TOXIC], true_cfg_scale=2.0, negative_prompt=[TOXIC])
    with pytest.raises(SubstitutionError, match="negative prompt"):
        draw(pipe, arguments, (1,), [0], {"prompt": [DONOR]})


def test_steps_that_image_to_image_leaves_out_count_as_unedited(
    components: dict[str, Any],
) -> None:
    """A start at step 4 of 10 is at once where the first 5 are left out, and after 2 where 2 are."""
    pipe = pipeline(components, "FluxImg2ImgPipeline")
    found = manifest(pipe, (1,), start_step=4, of_steps=10)
    for strength, expected in ((1.0, 4), (0.8, 2), (0.5, 0)):
        arguments = {"num_inference_steps": 10, "strength": strength}
        assert first_step(pipe, arguments, found) == expected
    assert first_step(pipe, {"num_inference_steps": 10}, found) == 0
    assert first_step(pipeline(components), {"num_inference_steps": 10}, found) == 4


def test_the_wrapped_pipeline_checks_both_prompts(guard: Guard, components: dict[str, Any]) -> None:
    """Toxic text in either one is found and substituted; sizes and embeddings are checked as well."""
    pipe = pipeline(components)
    wrapped = GuardedPipeline(pipe, guard.checker, manifest=manifest(pipe, (1, 3)), reader=None)
    arguments = call(pipe, [HARMLESS, TOXIC])
    plain = pipe(**arguments).images
    arguments["generator"].manual_seed(3)
    drawing = wrapped.draw(arguments)
    assert [d.action for d in drawing.decisions] == [Action.ALLOW, Action.SUBSTITUTE]
    assert np.array_equal(drawing.output.images[0], plain[0])
    assert not np.array_equal(drawing.output.images[1], plain[1])
    drawing = wrapped.draw(call(pipe, [HARMLESS], prompt_2=[TOXIC]))
    assert drawing.decisions[0].action is Action.SUBSTITUTE
    with pytest.raises(InvalidInput, match="pooled_prompt_embeds"):
        wrapped(pooled_prompt_embeds=torch.zeros(1, WIDTH))
    with pytest.raises(InvalidInput, match="width: must be a multiple of 4"):
        wrapped.check_size(30, None)
