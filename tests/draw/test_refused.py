"""What cannot be drawn under guard is refused before anything is drawn, whatever the prompt says."""

from __future__ import annotations

import contextlib
import copy
from contextlib import suppress
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.hooks import HookRegistry, ModelHook
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextModel, CLIPTokenizer

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.edit.diffusers_internals import is_fused
from inkguard.errors import GuardError, InvalidInput, SubstitutionError
from inkguard.families.call_arguments import EMBEDDINGS
from inkguard.families.registry import adapter_for
from inkguard.types import Action, Decision
from tests.draw.cases import (
    INSULT,
    Case,
    case_of,
    checker,
    counted,
    draw,
    guarded_by,
    new_case,
)
from tests.families.calls import DONORS, HARMLESS, TOXIC, call, manifest
from tests.families.nets import WIDTH, new_clip
from tests.families.pipelines import parts_of, pipeline

CONTROLNETS = (
    "StableDiffusionControlNetPipeline",
    "StableDiffusionXLControlNetPipeline",
    "StableDiffusionXLControlNetUnionPipeline",
    "StableDiffusion3ControlNetPipeline",
    "FluxControlNetPipeline",
    "QwenImageControlNetPipeline",
    "SanaControlNetPipeline",
)


class Regional:
    """An attention processor of a user's own, which might bring in text for a region of the picture."""

    def __init__(self, original: Any) -> None:
        self.original = original

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.original(*args, **kwargs)


def put_processor(model: Any) -> None:
    module = next(m for m in reversed([*model.modules()]) if hasattr(m, "processor"))
    module.processor = Regional(module.processor)


def assert_refused(case: Case, error: type[GuardError], match: str, **more: Any) -> None:
    """A harmless prompt and a toxic one alike, before the denoiser is called."""
    for arguments in (case.harmless, case.toxic, case.mixed):
        with counted(case.denoiser) as calls, pytest.raises(error, match=match):
            draw(case.guarded, arguments, **more)
        assert not calls


def test_a_foreign_processor_is_refused(own_case: Case) -> None:
    """At the first call where it was put there after wrapping, and else when the guard is made."""
    put_processor(own_case.denoiser)
    assert_refused(own_case, SubstitutionError, "Regional, which may bring text of its own")
    with pytest.raises(SubstitutionError, match="Regional"):
        guarded_by(own_case.pipe)


@pytest.mark.parametrize("name", CONTROLNETS)
def test_a_foreign_processor_in_a_controlnet_is_refused(name: str) -> None:
    """Its attention reads the prompt as well."""
    pipe = pipeline(name, parts_of(name))
    guarded = guarded_by(pipe)
    draw(guarded, call(pipe, [TOXIC], num_inference_steps=2))
    put_processor(pipe.controlnet)
    for prompt in (HARMLESS, TOXIC):
        with (
            counted(adapter_for(pipe).denoiser(pipe)) as calls,
            pytest.raises(SubstitutionError, match="Regional"),
        ):
            draw(guarded, call(pipe, [prompt], num_inference_steps=2))
        assert not calls
    with pytest.raises(SubstitutionError, match="Regional"):
        guarded_by(pipe)


@pytest.mark.parametrize("name", [CONTROLNETS[n] for n in (0, 1, 3, 4)])
def test_several_controlnets_draw_under_guard(name: str) -> None:
    """The harmless row is the bare pipeline's; a foreign processor in the last of them is refused."""
    one = pipeline(name, parts_of(name))
    nets = [one.controlnet, copy.deepcopy(one.controlnet)]
    pipe = type(one)(**{**one.components, "controlnet": nets})
    pipe.set_progress_bar_config(disable=True)
    guarded, arguments = guarded_by(pipe), call(pipe, [HARMLESS, TOXIC], num_inference_steps=2)
    picture = "control_image" if "control_image" in arguments else "image"
    more = {picture: [arguments[picture]] * 2, "controlnet_conditioning_scale": [1.0, 0.5]}
    bare, found = draw(pipe, arguments, **more), draw(guarded, arguments, **more)
    assert np.array_equal(found[0], bare[0])
    assert not np.array_equal(found[1], bare[1])
    put_processor(nets[1])
    with pytest.raises(SubstitutionError, match="Regional"):
        draw(guarded, {**arguments, "prompt": [HARMLESS] * 2}, **more)


def test_an_unknown_hook_is_refused(own_case: Case) -> None:
    """It may leave out modules, as the caches of diffusers do."""
    registry = HookRegistry.check_if_exists_or_initialize(own_case.denoiser)
    registry.register_hook(ModelHook(), "mine")
    assert_refused(own_case, SubstitutionError, "has the hook 'mine', which may skip sites")
    registry.remove_hook("mine")
    own_case.assert_guarded(own_case.guarded)


def test_fused_projections_are_refused(own_case: Case) -> None:
    """Diffusers fuses them, and takes that back; then the guard draws as before."""
    sites = [site for _, site in adapter_for(own_case.pipe).sites(own_case.pipe)]
    with suppress(AttributeError, ValueError):
        own_case.denoiser.fuse_qkv_projections()
    if not any(map(is_fused, sites)):
        pytest.skip("the family fuses nothing")
    assert_refused(own_case, SubstitutionError, "fused")
    own_case.denoiser.unfuse_qkv_projections()
    own_case.assert_guarded(own_case.guarded)


def test_a_manifest_that_starts_after_the_last_step_is_refused(case: Case) -> None:
    """In a call of few steps, for which the toxic word could not be kept out."""
    late = guarded_by(case.pipe, start_step=2)
    for arguments in (case.harmless, case.toxic):
        with (
            counted(case.denoiser) as calls,
            pytest.raises(InvalidInput, match=r"the call makes 2 steps .* from step 2 on"),
        ):
            draw(late, arguments)
        assert not calls
    toxic = draw(late, case.toxic, num_inference_steps=3)
    bare = draw(case.pipe, case.toxic, num_inference_steps=3)
    assert not np.array_equal(toxic, bare)


@pytest.mark.parametrize(
    ("family", "name", "more", "start"),
    [
        ("sd", "StableDiffusionImg2ImgPipeline", {"strength": 0.1}, 3),
        ("sdxl", "StableDiffusionXLPipeline", {"denoising_end": 0.5}, 3),
        (
            "sdxl",
            "StableDiffusionXLImg2ImgPipeline",
            {"denoising_start": 0.2, "denoising_end": 0.5},
            3,
        ),
    ],
)
@pytest.mark.parametrize("prompt", [HARMLESS, TOXIC])
def test_steps_that_a_call_leaves_out_count(
    family: str, name: str, more: dict[str, Any], start: int, prompt: str
) -> None:
    """A base that hands on to a refiner makes the first steps alone."""
    pipe = getattr(diffusers, name)(**case_of(family).pipe.components)
    pipe.set_progress_bar_config(disable=True)
    late = guarded_by(pipe, start_step=start)
    arguments = call(pipe, [prompt], num_inference_steps=4, output_type="latent")
    with counted(pipe.unet) as calls, pytest.raises(InvalidInput, match=r"^num_inference_steps: "):
        draw(late, arguments, **more)
    assert not calls
    draw(late, arguments)


def reads_letter_case(case: Case) -> bool:
    upper = draw(case.pipe, case.toxic, prompt=[TOXIC])
    return not np.array_equal(
        upper, draw(case.pipe, case.toxic, prompt=[TOXIC.replace("IDIOT", "idiot")])
    )


def test_rows_that_read_alike_are_refused_where_their_decisions_differ(case: Case) -> None:
    """The encoder cannot tell them apart; in two calls each is drawn by its own decision."""
    policy = checker().policy.ref
    substitute = Decision(action=Action.SUBSTITUTE, policy=policy, donor_prompt=DONORS["equal"])
    allow = Decision(action=Action.ALLOW, policy=policy)
    for alike in (TOXIC, TOXIC.replace("IDIOT", "idiot")):
        call_of = {**case.mixed, "prompt": [TOXIC, alike]}
        bare = draw(case.pipe, call_of)
        call_of["generator"].manual_seed(3)
        if alike == TOXIC or not reads_letter_case(case):
            with pytest.raises(SubstitutionError, match="cannot be told apart"):
                case.guarded.draw(call_of, decisions=[substitute, allow])
            continue
        drawing = case.guarded.draw(call_of, decisions=[substitute, allow])
        assert np.array_equal(drawing.output.images[1], bare[1])
        assert not np.array_equal(drawing.output.images[0], bare[0])


def test_a_row_that_is_changed_on_the_way_gives_no_picture(own_case: Case) -> None:
    """Of two flagged rows one is altered before the denoiser: neither picture comes out."""

    def alter(_module: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        # SD's and IF's classes name their text; so do all others.
        text = kwargs["encoder_hidden_states"].clone()
        text[-1] = text[-1] * 1.001
        return args, {**kwargs, "encoder_hidden_states": text}

    own_case.denoiser.register_forward_pre_hook(alter, with_kwargs=True)
    for prompts in ([TOXIC, INSULT], [HARMLESS, TOXIC]):
        with pytest.raises(SubstitutionError, match=r"text embeddings"):
            draw(own_case.guarded, own_case.mixed, prompt=prompts)


def test_unknown_arguments_are_refused(case: Case) -> None:
    """A later version of diffusers may have one that brings in text."""
    assert_refused(case, InvalidInput, "^caption: inkguard does not know", caption=TOXIC)


def test_embeddings_without_their_text_are_refused(case: Case) -> None:
    """Every argument that brings them, alone or beside another prompt."""
    names = {*adapter_for(case.pipe).embedding_arguments, *filter(case.takes, EMBEDDINGS)}
    for name in names:
        given = {name: torch.zeros(1, 40, 32)}
        assert_refused(case, InvalidInput, f"^{name}: ", **given)
        assert_refused(case, InvalidInput, "embeddings|prompt", prompt=None, **given)


def test_prompts_that_are_no_list_of_strings_are_refused(case: Case) -> None:
    """Generators, tuples, numbers and bytes are none."""
    for prompt in ((TOXIC for _ in range(1)), (HARMLESS,), 7, [HARMLESS, 7], b"x", [], None):
        with counted(case.denoiser) as calls, pytest.raises(InvalidInput, match=r"^prompt: "):
            draw(case.guarded, case.harmless, prompt=prompt)
        assert not calls


def with_learned_token() -> tuple[Case, str]:
    """Stable Diffusion with CLIP's kind of tokenizer, which reads lower case, and a token taught to it."""
    case = new_case("sd")
    letters = sorted(ByteLevel.alphabet())
    marks = ["<|startoftext|>", "<|endoftext|>"]
    words = [*letters, *(letter + "</w>" for letter in letters), *marks]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)
    torch.manual_seed(0)
    case.guarded.register_modules(
        tokenizer=tokenizer, text_encoder=new_clip(CLIPTextModel, tokenizer)
    )
    learned = {"string_to_param": {"*": torch.ones(1, WIDTH)}, "name": "toy"}
    case.guarded.load_textual_inversion(learned, token="<toy>")
    return case, "<toy>"


@pytest.mark.parametrize("token", ["<toy>", "<TOY>"])
def test_learned_tokens_are_refused_until_they_are_declared(token: str) -> None:
    """Textual inversion after wrapping teaches the encoder a word that no check can read.

    CLIP's tokenizer finds it in any letter case. Declared, it is checked as what it stands for.
    """
    case, own = with_learned_token()
    prompt = [f"a {token} on a sign"]
    with counted(case.denoiser) as calls, pytest.raises(InvalidInput, match="token_texts"):
        draw(case.guarded, case.harmless, prompt=prompt)
    assert not calls
    assert len(draw(case.guarded, case.harmless)) == 1
    bare = draw(case.pipe, case.harmless, prompt=prompt)
    for meaning, action in (
        ("teddy bear", Action.ALLOW),
        ('sign that says "IDIOT"', Action.SUBSTITUTE),
    ):
        declared = GuardedPipeline(
            case.pipe,
            checker(),
            manifest=manifest(case.pipe, (1,)),
            reader=None,
            token_texts={own: meaning},
        )
        assert declared.draw({**case.harmless, "prompt": prompt}).decisions[0].action is action
        drawn = draw(declared, case.harmless, prompt=prompt)
        assert np.array_equal(drawn, bare) == (action is Action.ALLOW)


def test_an_error_half_way_leaves_the_guard_in_place(own_case: Case) -> None:
    """A denoiser that fails in its second step: the next call is drawn as ever."""
    calls: list[int] = []

    def fail(*_: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError

    hook = own_case.denoiser.register_forward_hook(fail)
    with contextlib.suppress(MemoryError):
        draw(own_case.guarded, own_case.toxic)
    assert len(calls) == 2
    hook.remove()
    own_case.assert_guarded(own_case.guarded)
