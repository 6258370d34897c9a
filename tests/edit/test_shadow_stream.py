"""What is particular to SD3: dual attention, blocks that a call skips. tests/families/test_conformance.py has the rest."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from diffusers import SD3Transformer2DModel
from diffusers.models.attention_processor import (
    FusedJointAttnProcessor2_0,
    JointAttnProcessor2_0,
    SD3IPAdapterJointAttnProcessor2_0,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.errors import SubstitutionError
from inkguard.families.sd3.edit import Sd3Shadow
from inkguard.guard import Guard
from tests.edit.parity import TOLERANCE, relative, snapshot
from tests.edit.sd3 import BLOCKS, WIDTH, make, shared

DUAL = pytest.mark.parametrize("dual", [(), (0, 2)], ids=["sd3", "sd3.5-dual-attention"])


@DUAL
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@settings(max_examples=4, deadline=None)
@given(sites=st.sets(st.integers(0, BLOCKS - 1), min_size=1))
def test_the_prompts_own_text_as_shadow_changes_nothing(
    dtype: torch.dtype, dual: tuple[int, ...], sites: set[int]
) -> None:
    """Property 1: reading one's own text through the shadow is the unguarded output."""
    batch = shared(dtype, dual)
    with Sd3Shadow(batch.model, sorted(sites), batch.flagged(batch.text[2:])):
        edited = batch.run()
    assert relative(edited, batch.run()) < TOLERANCE[dtype]


@DUAL
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@settings(max_examples=4, deadline=None)
@given(sites=st.sets(st.integers(0, BLOCKS - 1), min_size=1))
def test_rows_that_are_not_flagged_are_bit_identical(
    dtype: torch.dtype, dual: tuple[int, ...], sites: set[int]
) -> None:
    """Property 2: unflagged rows equal those of an unguarded run of the same batch; flagged ones move."""
    batch = shared(dtype, dual)
    plain = batch.run()
    with Sd3Shadow(batch.model, sorted(sites), batch.flagged()):
        edited = batch.run()
    assert torch.equal(edited[:2], plain[:2])
    assert not torch.equal(edited[2:], plain[2:])


@DUAL
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_all_layers_as_sites_equal_the_donor_prompt(
    dtype: torch.dtype, dual: tuple[int, ...]
) -> None:
    """Property 3: with every block a site the picture is the donor prompt's, pooled text held fixed."""
    batch = shared(dtype, dual)
    donor_text = batch.text.clone()
    donor_text[2:] = batch.donors
    with Sd3Shadow(batch.model, range(BLOCKS), batch.flagged()):
        edited = batch.run()
    assert relative(edited, batch.run(donor_text)) < TOLERANCE[dtype]


@pytest.mark.parametrize("skipped", [[0], [2], [1, 4], [4]], ids=str)
@DUAL
def test_the_shadow_skips_the_blocks_that_a_call_skips(
    dual: tuple[int, ...], skipped: list[int]
) -> None:
    """Properties 2, 3 and 5 under `skip_layers` (SD3.5's skip-layer guidance), sites among the skipped."""
    batch = shared(dual=dual)
    donor_text = batch.text.clone()
    donor_text[2:] = batch.donors
    with Sd3Shadow(batch.model, range(BLOCKS), batch.flagged()):
        batch.run()
        edited = batch.run(skip_layers=skipped)
    expected = batch.run(donor_text, skip_layers=skipped)
    assert relative(edited, expected) < TOLERANCE[torch.float32]
    assert torch.equal(edited[:2], batch.run(skip_layers=skipped)[:2])
    assert not torch.equal(edited, batch.run(donor_text))


def test_a_call_that_skips_every_site_is_the_prompts_own() -> None:
    """With its only site left out, a call reads no donor text, and that is no error."""
    batch = make()
    with Sd3Shadow(batch.model, [2], batch.flagged()):
        edited = batch.run(skip_layers=[2])
    assert torch.equal(edited, batch.run(skip_layers=[2]))


def test_skip_layer_guidance_in_the_pipeline(guard: Guard) -> None:
    """With `skip_guidance_layers` only the flagged picture moves, in each of the calls of a step."""
    pipe, manifest = guard.pipeline._pipe, guard.manifest
    assert manifest is not None
    toxic = 'a red sign that says "IDIOT" on a blue background with a yellow star'
    harmless = 'a cyan sign that says "WELCOME" on a brown background with a pink circle'
    call = {
        **manifest.call,
        "prompt": [harmless, toxic],
        "num_inference_steps": 3,
        "guidance_scale": 4.0,
        "skip_guidance_layers": [manifest.sites[0]],
        "skip_layer_guidance_start": 0.0,
        "skip_layer_guidance_stop": 1.0,
        "output_type": "np",
    }
    calls: list[object] = []
    hook = pipe.transformer.register_forward_pre_hook(
        lambda _m, _a, kwargs: calls.append(kwargs.get("skip_layers")), with_kwargs=True
    )
    plain = pipe(**call, generator=torch.Generator().manual_seed(1)).images
    wrapped = GuardedPipeline(pipe, guard.checker, manifest=manifest, reader=None)
    edited = wrapped(**call, generator=torch.Generator().manual_seed(1)).images
    hook.remove()
    assert [manifest.sites[0]] in calls
    assert (edited[0] == plain[0]).all()
    assert not (edited[1] == plain[1]).all()


def test_a_last_step_without_a_flagged_row_raises_on_leaving() -> None:
    """Nor may the last step pass unnoticed."""
    batch = make()
    with (
        pytest.raises(SubstitutionError, match="no row of a denoising step"),
        Sd3Shadow(batch.model, [2], batch.flagged()),
    ):
        batch.run(torch.randn_like(batch.text))


def test_a_flagged_prompt_like_a_negative_prompt_is_refused() -> None:
    """Rows of both could not be told apart, so the edit is refused before anything is drawn."""
    batch = make()
    with pytest.raises(SubstitutionError, match="negative prompt"):
        Sd3Shadow(batch.model, [2], batch.flagged(), unconditional=batch.text[2:3])


def test_a_failing_entry_leaves_no_hook() -> None:
    """Property 4: entering is all or none; a bad last block undoes the first ones."""
    batch = make()
    batch.model.transformer_blocks[3].attn.set_processor(FusedJointAttnProcessor2_0())
    before = snapshot(batch.model)
    with (
        pytest.raises(SubstitutionError, match=r"transformer_blocks\.3\.attn has fused"),
        Sd3Shadow(batch.model, [3], batch.flagged()),
    ):
        pass
    assert snapshot(batch.model) == before


def test_a_block_before_the_site_that_is_bypassed_raises() -> None:
    """Property 5: nor may the donor's text miss a block on its way to the site."""
    batch = make()
    with Sd3Shadow(batch.model, [2], batch.flagged()):
        attn = batch.model.transformer_blocks[0].attn
        attn.processor = attn.processor._original
        with pytest.raises(SubstitutionError, match=r"blocks \[0, 1, 2\].*through \[1, 2\]"):
            batch.run()


def refusals() -> dict[str, tuple[Callable[[SD3Transformer2DModel], object], str]]:
    return {
        "ip-adapter": (set_ip_adapter, "SD3IPAdapter.*IP-Adapters are not supported"),
        "foreign-processor": (set_foreign, "_Foreign, not JointAttnProcessor2_0"),
    }


class _Foreign(JointAttnProcessor2_0):
    """Stands for a processor of an extension."""


def set_foreign(model: SD3Transformer2DModel) -> None:
    model.transformer_blocks[0].attn.set_processor(_Foreign())


def set_ip_adapter(model: SD3Transformer2DModel) -> None:
    attn = model.transformer_blocks[0].attn
    attn.set_processor(SD3IPAdapterJointAttnProcessor2_0(64, WIDTH, 16))


@pytest.mark.parametrize("case", list(refusals()))
def test_what_could_skip_a_site_is_refused(case: str) -> None:
    """Fused projections, foreign processors and diffusers hooks raise on entry, with the reason."""
    batch = make()
    change, message = refusals()[case]
    change(batch.model)
    with (
        pytest.raises(SubstitutionError, match=message),
        Sd3Shadow(batch.model, [2], batch.flagged()),
    ):
        pass
