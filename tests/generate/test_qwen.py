"""Stock Qwen-Image pipelines with random weights under the guard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    QwenImageControlNetModel,
    QwenImageControlNetPipeline,
    QwenImageImg2ImgPipeline,
    QwenImageInpaintPipeline,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
)
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from guard.errors import InvalidInput, SubstitutionError
from guard.generate.qwen import QwenAdapter
from guard.guard import Guard
from guard.reference.tokenizers import t5_tokenizer
from guard.substitute.manifest import Manifest
from guard.types import Action
from guard.wrap import GuardedPipeline

TOXIC = 'a red sign that says "IDIOT" on a blue background with a yellow star'
DONORS = {
    "equal": 'a red sign that says "HELLO" on a blue background with a yellow star',
    "shorter": 'a red sign that says "HI" on a blue background with a yellow star',
    "longer": 'a red sign that says "GOOD MORNING" on a blue background with a yellow star',
}
HARMLESS = 'a cyan sign that says "WELCOME" on a brown background with a pink circle'
SHORT = "a red sign"
FAMILY = {
    "QwenImagePipeline": QwenImagePipeline,
    "QwenImageImg2ImgPipeline": QwenImageImg2ImgPipeline,
    "QwenImageInpaintPipeline": QwenImageInpaintPipeline,
    "QwenImageControlNetPipeline": QwenImageControlNetPipeline,
}
WIDTH, SIDE, SITES = 32, 32, 3
_TRANSFORMER: dict[str, Any] = {
    "in_channels": 16,
    "out_channels": 4,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": WIDTH,
    "axes_dims_rope": (4, 4, 8),
}
ADAPTER = QwenAdapter()


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
    tokenizer = t5_tokenizer()
    transformer = QwenImageTransformer2DModel(num_layers=SITES, **_TRANSFORMER)
    randomise(transformer)
    layers = {"hidden_size": WIDTH, "intermediate_size": WIDTH}
    text = {
        **layers,
        "vocab_size": len(tokenizer),
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "rope_scaling": {"mrope_section": [2, 2, 4], "rope_type": "default"},
    }
    vision = {**layers, "depth": 1, "num_heads": 2, "out_hidden_size": WIDTH}
    vae = AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )
    encoder = Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(text_config=text, vision_config=vision)
    )
    randomise(encoder)
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(),
        "vae": vae.eval(),
        "text_encoder": encoder.eval(),
        "tokenizer": tokenizer,
        "transformer": transformer.eval(),
    }


@pytest.fixture(scope="module")
def components() -> dict[str, Any]:
    return new_components()


def pipeline(components: dict[str, Any], name: str = "QwenImagePipeline") -> Any:
    more = {}
    if name == "QwenImageControlNetPipeline":
        torch.manual_seed(1)
        more["controlnet"] = QwenImageControlNetModel(num_layers=1, **_TRANSFORMER)
        randomise(more["controlnet"])
    pipe = FAMILY[name](**components, **more)
    pipe.set_progress_bar_config(disable=True)
    # The template's first tokens, which the pipeline drops, are 34 only for Qwen's own tokenizer.
    before = pipe.prompt_template_encode.split("{}")[0]
    ids = pipe.tokenizer(before, add_special_tokens=False).input_ids
    pipe.prompt_template_encode_start_idx = len(ids)
    return pipe


def call(pipe: Any, prompts: list[str], **more: Any) -> dict[str, Any]:
    picture = np.random.default_rng(0).random((1, SIDE, SIDE, 3), dtype=np.float32)
    special: dict[str, dict[str, Any]] = {
        "QwenImageImg2ImgPipeline": {"image": picture, "strength": 0.7},
        "QwenImageInpaintPipeline": {
            "image": picture,
            "mask_image": (picture[..., :1] > 0.5).astype(np.float32),
            "strength": 0.7,
        },
        "QwenImageControlNetPipeline": {"control_image": torch.tensor(picture).permute(0, 3, 1, 2)},
    }
    return {
        "prompt": prompts,
        "height": SIDE,
        "width": SIDE,
        "num_inference_steps": 3,
        "generator": torch.Generator().manual_seed(3),
        "output_type": "np",
        **special.get(type(pipe).__name__, {}),
        **more,
    }


def manifest(pipe: Any, sites: tuple[int, ...], **more: Any) -> Manifest:
    names = [name for name, _ in ADAPTER.sites(pipe)]
    return Manifest(
        name="test",
        pipeline=type(pipe).__name__,
        denoiser="QwenImageTransformer2DModel",
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
    donors: list[str],
    **more: Any,
) -> np.ndarray[Any, Any]:
    """The pictures of a pipeline call with `rows` substituted; the generator starts afresh."""
    arguments["generator"].manual_seed(3)
    found = manifest(pipe, sites, **more)
    with ADAPTER.substituted(pipe, found, arguments, rows, {"prompt": donors}):
        images: np.ndarray[Any, Any] = pipe(**arguments).images
    return images


def guidance(guided: bool, count: int) -> dict[str, Any]:
    return {"negative_prompt": ["a blue circle"] * count} if guided else {}


GUIDED = pytest.mark.parametrize("guided", [False, True], ids=["plain", "guided"])


@GUIDED
@pytest.mark.parametrize("each", [1, 2])
@pytest.mark.parametrize("name", list(FAMILY))
def test_in_a_mixed_batch_only_flagged_pictures_change(
    components: dict[str, Any], name: str, each: int, guided: bool
) -> None:
    """Property 2 in every pipeline: harmless rows are bit-identical to the bare pipeline's same batch."""
    pipe = pipeline(components, name)
    arguments = call(
        pipe, [HARMLESS, TOXIC, SHORT], num_images_per_prompt=each, **guidance(guided, 3)
    )
    plain = pipe(**arguments).images
    edited = draw(pipe, arguments, (1,), [1], [HARMLESS, DONORS["longer"], SHORT])
    flagged = range(each, 2 * each)
    for n in range(3 * each):
        assert np.array_equal(plain[n], edited[n]) is (n not in flagged)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_prompts_own_text_changes_nothing(
    components: dict[str, Any], dtype: torch.dtype
) -> None:
    """Property 1 through the whole pipeline: within 1e-5 of white in float32, 3 % in bfloat16."""
    pipe = pipeline(components if dtype == torch.float32 else new_components()).to(dtype)
    arguments = call(pipe, [HARMLESS, TOXIC, SHORT], **guidance(True, 3))
    plain = pipe(**arguments).images
    edited = draw(pipe, arguments, tuple(range(SITES)), [1, 2], arguments["prompt"])
    assert np.array_equal(plain[0], edited[0])
    assert np.abs(edited - plain).max() < (1e-5 if dtype == torch.float32 else 0.03)


@GUIDED
@pytest.mark.parametrize("length", list(DONORS))
def test_all_sites_equal_the_donor_prompt(
    components: dict[str, Any], length: str, guided: bool
) -> None:
    """Property 3 with donors of every length, alone and in a batch that is padded and masked."""
    pipe, every = pipeline(components), tuple(range(SITES))
    for before in ([], [SHORT], [HARMLESS]):
        prompts, donors = [*before, TOXIC], [*before, DONORS[length]]
        arguments = call(pipe, prompts, **guidance(guided, len(prompts)))
        edited = draw(pipe, arguments, every, [len(before)], donors)
        arguments["generator"].manual_seed(3)
        expected = pipe(**{**arguments, "prompt": donors}).images
        assert np.abs(edited - expected).max() < 1e-4
        arguments["generator"].manual_seed(3)
        assert np.abs(pipe(**arguments).images[-1] - expected[-1]).max() > 1e-3


@pytest.mark.parametrize("name", list(FAMILY)[1:])
def test_all_sites_equal_the_donor_prompt_in_every_pipeline(
    components: dict[str, Any], name: str
) -> None:
    """Property 3; a ControlNet is not the denoiser, so it keeps the prompt's text."""
    pipe = pipeline(components, name)
    arguments = call(pipe, [TOXIC], **guidance(True, 1))
    edited = draw(pipe, arguments, tuple(range(SITES)), [0], [DONORS["shorter"]])
    arguments["generator"].manual_seed(3)
    if name == "QwenImageControlNetPipeline":
        states, mask = ADAPTER._encode(pipe, arguments, [TOXIC])
        own = {"encoder_hidden_states": states, "encoder_hidden_states_mask": mask}
        hook = pipe.controlnet.register_forward_pre_hook(
            lambda _m, args, kwargs: (args, {**kwargs, **own}), with_kwargs=True
        )
    expected = pipe(**{**arguments, "prompt": [DONORS["shorter"]]}).images
    if name == "QwenImageControlNetPipeline":
        hook.remove()
    assert np.abs(edited - expected).max() < 1e-4


def test_text_is_cut_where_the_pipeline_cuts_it(components: dict[str, Any]) -> None:
    """Prompt and donor at the call's `max_sequence_length`, not at the encoder's own default."""
    pipe, donor = pipeline(components), DONORS["longer"]
    arguments = call(pipe, [TOXIC], max_sequence_length=12)
    edited = draw(pipe, arguments, tuple(range(SITES)), [0], [donor])
    arguments["generator"].manual_seed(3)
    assert np.abs(edited - pipe(**{**arguments, "prompt": [donor]}).images).max() < 1e-4


def test_what_cannot_be_done_right_is_refused(components: dict[str, Any]) -> None:
    """A flagged prompt as the negative one, and pooled text, of which there is none."""
    pipe = pipeline(components)
    arguments = call(pipe, [TOXIC], negative_prompt=[TOXIC])
    with pytest.raises(SubstitutionError, match="negative prompt"):
        draw(pipe, arguments, (1,), [0], [DONORS["longer"]])
    with pytest.raises(SubstitutionError, match="no pooled text"):
        draw(pipe, arguments, (1,), [0], [DONORS["equal"]], swap_pooled=True)


def test_the_wrapped_pipeline_checks_its_prompts(guard: Guard, components: dict[str, Any]) -> None:
    """Toxic text is found and substituted; sizes and embeddings are checked as well."""
    pipe = pipeline(components)
    wrapped = GuardedPipeline(pipe, guard.checker, manifest=manifest(pipe, (1,)), reader=None)
    arguments = call(pipe, [HARMLESS, TOXIC])
    plain = pipe(**arguments).images
    arguments["generator"].manual_seed(3)
    drawing = wrapped.draw(arguments)
    assert [d.action for d in drawing.decisions] == [Action.ALLOW, Action.SUBSTITUTE]
    assert np.array_equal(drawing.output.images[0], plain[0])
    assert not np.array_equal(drawing.output.images[1], plain[1])
    with pytest.raises(InvalidInput, match="prompt_embeds"):
        wrapped(prompt_embeds=torch.zeros(1, 4, WIDTH))
    with pytest.raises(InvalidInput, match="width: must be a multiple of 8"):
        wrapped.check_size(30, None)
