"""What users do with a pipeline, done with a guarded one: it stays guarded, or says why not.

Data of `tests/families/test_conformance.py`, which does each of these in every family.
"""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline

from inkguard.check.checker import Checker
from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.errors import GuardError, InvalidInput, UnguardedUse
from inkguard.policy.model import Mode
from tests.draw.cases import Case, checker, counted, draw, guarded_by, new_case, pictures
from tests.families.calls import HARMLESS, TOXIC, call, manifest, snapshot

IDIOMS: dict[str, Callable[[Case], None]] = {}
"""By name; what each says of itself is what holds."""

_SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "sd": ("EulerDiscreteScheduler", {}),
    "sdxl": ("DPMSolverMultistepScheduler", {}),
    "sd3": ("FlowMatchHeunDiscreteScheduler", {}),
    "if": ("DDPMScheduler", {"thresholding": False, "beta_schedule": "linear"}),
    "flux": ("FlowMatchEulerDiscreteScheduler", {"shift_terminal": 0.3}),
    "qwen": ("FlowMatchEulerDiscreteScheduler", {"shift_terminal": 0.3}),
    "pixart-alpha": ("EulerDiscreteScheduler", {}),
    "pixart-sigma": ("DDIMScheduler", {}),
    "sana": ("FlowMatchEulerDiscreteScheduler", {}),
    "sana-sprint": ("SCMScheduler", {"sigma_data": 0.3}),
}
_IMAGE_TO_IMAGE = {
    "sd": "StableDiffusionImg2ImgPipeline",
    "sdxl": "StableDiffusionXLImg2ImgPipeline",
    "sd3": "StableDiffusion3Img2ImgPipeline",
    "if": "IFImg2ImgPipeline",
    "flux": "FluxImg2ImgPipeline",
    "qwen": "QwenImageImg2ImgPipeline",
    "sana-sprint": "SanaSprintImg2ImgPipeline",
}
"""The other families have none; there the class is the pipeline's own."""


def idiom(check: Callable[[Case], None]) -> Callable[[Case], None]:
    IDIOMS[check.__name__] = check
    return check


def other_scheduler(case: Case) -> Any:
    name, changes = _SCHEDULERS.get(case.family, ("DPMSolverMultistepScheduler", {}))
    return getattr(diffusers, name).from_config(case.pipe.scheduler.config, **changes)


def leads_to(value: Any, pipe: Any) -> bool:
    """Whether a value is the bare pipeline, holds it, or is one of its methods."""
    if isinstance(value, tuple | list):
        return any(leads_to(one, pipe) for one in value)
    return value is pipe or getattr(value, "__self__", None) is pipe


@idiom
def moved_to_a_device(case: Case) -> None:
    """`.to(device)` gives the guarded pipeline back."""
    moved = case.guarded.to("cpu")
    assert moved is case.guarded
    case.assert_guarded(moved)


@idiom
def moved_to_a_dtype(case: Case) -> None:
    """`.to(dtype)` gives the guarded pipeline back, which draws in that dtype."""
    moved = case.guarded.to(torch.bfloat16)
    assert moved is case.guarded
    assert case.denoiser.dtype == torch.bfloat16
    case.assert_rows(moved, draw(case.pipe, case.mixed))


@idiom
def every_method_that_needs_no_argument(case: Case) -> None:
    """No method or property of the class hands out the bare pipeline."""
    returned = 0
    for name in dir(case.guarded):
        if name.startswith("_") or name in ("draw", "push_to_hub"):
            continue
        value = getattr(case.guarded, name, None)
        assert not leads_to(value, case.pipe)
        if not callable(value) or isinstance(value, torch.nn.Module | type):
            continue
        try:
            found = value()
        except Exception:
            continue  # it wants arguments, or an accelerator
        assert not leads_to(found, case.pipe)
        returned += found is case.guarded
    assert returned >= 1


@idiom
def itself_inside_of_other_things(case: Case) -> None:
    """An attribute that is a tuple or a list with the pipeline in it has the guarded one in its place."""
    case.pipe.pair = (case.pipe, 1)
    case.pipe.both = [case.pipe, [case.pipe.to, case.pipe]]
    case.pipe.myself = case.pipe
    assert case.guarded.pair == (case.guarded, 1)
    assert case.guarded.both[0] is case.guarded
    assert not leads_to(case.guarded.both, case.pipe)
    assert case.guarded.myself is case.guarded
    case.guarded.again = case.guarded
    assert case.pipe.again is case.pipe
    assert case.guarded.again is case.guarded


@idiom
def scheduler_assigned(case: Case) -> None:
    """The next picture is the bare pipeline's with that scheduler; a toxic prompt's is a guarded one's."""
    twin = new_case(case.family)
    twin.pipe.scheduler, case.guarded.scheduler = other_scheduler(case), other_scheduler(case)
    assert case.pipe.scheduler is case.guarded.scheduler
    harmless = draw(twin.pipe, twin.harmless)
    assert not np.array_equal(harmless, pictures(case.family)[2])
    assert np.array_equal(draw(case.guarded, case.harmless), harmless)
    toxic = draw(case.guarded, case.toxic)
    assert np.array_equal(toxic, draw(guarded_by(twin.pipe), twin.toxic))
    assert not np.array_equal(toxic, draw(twin.pipe, twin.toxic))


@idiom
def denoiser_assigned(case: Case) -> None:
    """A copy of the denoiser is drawn with, under guard."""
    other = copy.deepcopy(case.denoiser)
    setattr(case.guarded, case.part, other)
    assert case.denoiser is other
    with counted(other) as calls:
        case.assert_guarded(case.guarded)
    assert calls


@idiom
def denoiser_registered(case: Case) -> None:
    """So it is where `register_modules` puts it there."""
    other = copy.deepcopy(case.denoiser)
    case.guarded.register_modules(**{case.part: other})
    with counted(other) as calls:
        case.assert_guarded(case.guarded)
    assert calls


@idiom
def denoiser_compiled(case: Case) -> None:
    """`torch.compile` of it is taken, and a toxic prompt is substituted as before."""
    setattr(case.guarded, case.part, torch.compile(case.denoiser, backend="eager"))
    assert case.denoiser is not case.denoiser._orig_mod
    _, safe, _ = pictures(case.family)
    assert np.array_equal(draw(case.guarded, case.toxic), safe)


@idiom
def another_denoiser_refused(case: Case) -> None:
    """One of another class, with other blocks, or none: refused, and the one that was there stays."""
    other = copy.deepcopy(case.denoiser)
    blocks = next(n for n in ("transformer_blocks", "down_blocks") if hasattr(other, n))
    setattr(other, blocks, getattr(other, blocks)[:1])
    before = case.denoiser
    for wrong in (torch.nn.Linear(1, 1), other, None):
        with pytest.raises(GuardError):
            setattr(case.guarded, case.part, wrong)
        assert case.denoiser is before
    case.assert_guarded(case.guarded)


@idiom
def attributes(case: Case) -> None:
    """`hasattr`, `getattr`, `dir`, `isinstance` and `del` are those of the pipeline."""
    assert isinstance(case.guarded, DiffusionPipeline)
    assert isinstance(case.guarded, type(case.pipe))
    assert hasattr(case.guarded, case.part)
    assert not hasattr(case.guarded, "no_such_attribute")
    assert getattr(case.guarded, "no_such_attribute", 7) == 7
    assert getattr(case.guarded, case.part) is case.denoiser
    assert {case.part, "scheduler", "to"} <= {*dir(case.guarded)}
    assert case.guarded.config is case.pipe.config
    assert type(case.pipe).__name__ in repr(case.guarded)
    case.guarded.note = "mine"
    assert case.pipe.note == "mine"
    del case.guarded.note
    assert not hasattr(case.pipe, "note")
    with pytest.raises(AttributeError):
        del case.guarded.note


@idiom
def denoiser_deleted(case: Case) -> None:
    """`del` of the denoiser frees it; then nothing is drawn, and with it back the guard is there."""
    before = case.denoiser
    delattr(case.guarded, case.part)
    assert case.part not in vars(case.pipe)
    with pytest.raises(GuardError):
        draw(case.guarded, case.harmless)
    setattr(case.guarded, case.part, before)
    case.assert_guarded(case.guarded)


@idiom
def bare_pipelines_of_its_parts(case: Case) -> None:
    """`from_pipe`, `AutoPipeline*.from_pipe` and `components` are refused with what to do instead."""
    kind = type(case.pipe)
    automatic = (
        diffusers.AutoPipelineForText2Image,
        diffusers.AutoPipelineForImage2Image,
        diffusers.AutoPipelineForInpainting,
    )
    for maker in (kind, *automatic):
        try:
            maker.from_pipe(case.pipe)
        except ValueError:
            continue  # none for this family
        with pytest.raises(UnguardedUse, match=r"components: .*as_class"):
            maker.from_pipe(case.guarded)
    with pytest.raises(UnguardedUse, match=r"as_class"):
        kind(**case.guarded.components)
    with pytest.raises(UnguardedUse):
        hasattr(case.guarded, "components")  # an answer of False would let the asker go on
    for name in ("from_pipe", "from_pretrained", "from_single_file"):
        with pytest.raises(UnguardedUse, match=f"^{name}: "):
            getattr(case.guarded, name)


@idiom
def another_class_over_its_parts(case: Case) -> None:
    """`as_class` gives a guarded pipeline; what its class does not take, it is not given."""
    name = _IMAGE_TO_IMAGE.get(case.family)
    size = {k: case.toxic[k] for k in ("height", "width") if k in case.toxic}
    guarded = guarded_by(case.pipe, call=size)
    other = guarded.as_class(getattr(diffusers, name) if name else type(case.pipe))
    assert type(other) is GuardedPipeline
    assert type(case.pipe) is not other.__class__ or case.family not in _IMAGE_TO_IMAGE
    bare = other._pipe
    bare.set_progress_bar_config(disable=True)
    if case.family == "qwen":  # as tests/families/pipelines.py sets it, for its tokenizer
        bare.prompt_template_encode_start_idx = case.pipe.prompt_template_encode_start_idx
    mixed = call(bare, [HARMLESS, TOXIC], num_inference_steps=3)
    found = draw(other, {k: v for k, v in mixed.items() if k not in size})
    expected = draw(bare, mixed)
    assert np.array_equal(found[0], expected[0])
    assert not np.array_equal(found[1], expected[1])
    case.assert_guarded(guarded)


@idiom
def the_classes_own_call(case: Case) -> None:
    """`type(pipe).__call__(guarded, ...)` is refused before the denoiser is called."""
    with counted(case.denoiser) as calls, pytest.raises(UnguardedUse, match="around the guard"):
        draw(lambda **given: type(case.pipe).__call__(case.guarded, **given), case.toxic)
    assert not calls


@idiom
def copied(case: Case) -> None:
    """`copy` and `deepcopy` are guarded and draw the same; what is set on them stays theirs."""
    for copied in (copy.copy(case.guarded), copy.deepcopy(case.guarded)):
        assert type(copied) is GuardedPipeline
        case.assert_guarded(copied)
        copied.scheduler = other_scheduler(case)
        assert case.pipe.scheduler is not copied.scheduler
    assert getattr(copy.copy(case.guarded), case.part) is case.denoiser
    assert getattr(copy.deepcopy(case.guarded), case.part) is not case.denoiser


@idiom
def pickled(case: Case) -> None:
    """Refused, with what to do instead."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="cannot be pickled: load the pipeline in the other"):
            pickle.dumps(case.guarded, protocol)


@idiom
def two_guards(case: Case) -> None:
    """Two guards with different policies over one pipeline draw each by its own."""
    watching = Checker(replace(checker().policy, mode=Mode.SHADOW), None)
    other = GuardedPipeline(case.pipe, watching, manifest=manifest(case.pipe, (1,)), reader=None)
    bare, _, _ = pictures(case.family)
    for _ in range(2):
        assert np.array_equal(draw(other, case.toxic), bare)
        case.assert_guarded(case.guarded)


@idiom
def idle_after_use(case: Case) -> None:
    """After toxic prompts the pipeline has no hook, processor or attribute more than before."""
    draw(case.pipe, case.toxic)
    before, own = snapshot(case.pipe), {*vars(case.pipe)}
    draw(case.guarded, case.mixed)
    assert snapshot(case.pipe) == before
    assert {*vars(case.pipe)} == own


@idiom
def help_and_signature(case: Case) -> None:
    """What an editor shows of a method is what the pipeline's own says."""
    assert inspect.signature(case.guarded.to) == inspect.signature(case.pipe.to)
    assert case.guarded.to.__doc__ == case.pipe.to.__doc__


@idiom
def given_by_position(case: Case) -> None:
    """Positional arguments are the class's own; one that is given twice is refused."""
    _, safe, _ = pictures(case.family)

    def by_position(drawer: Any) -> Callable[..., Any]:
        return lambda prompt, **more: drawer(prompt, **more)

    assert np.array_equal(draw(by_position(case.guarded), case.toxic), safe)
    with pytest.raises(InvalidInput, match=r"^prompt: given by position and by name"):
        case.guarded([HARMLESS], **case.harmless)
    with pytest.raises(InvalidInput, match="can be told apart by position"):
        case.guarded(*[None] * 100)


@idiom
def wrapped_twice(case: Case) -> None:
    """One guard around another would check what the first has drawn otherwise."""
    with pytest.raises(UnguardedUse, match="wrap the bare one"):
        GuardedPipeline(case.guarded, checker(), manifest=None, reader=None)
