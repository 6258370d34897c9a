"""The five properties of substitution (DESIGN section 2) on a stock SD3Transformer2DModel."""

from __future__ import annotations

import accelerate
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.edit.rows import FlaggedPrompt
from inkguard.errors import SubstitutionError
from inkguard.families.sd3.edit import ShadowText
from inkguard.guard import Guard
from tests.edit.parity import TOLERANCE, relative
from tests.edit.sd3 import BLOCKS, make, shared

DUAL = pytest.mark.parametrize("dual", [(), (0, 2)], ids=["sd3", "sd3.5-dual-attention"])


@DUAL
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@settings(max_examples=8, deadline=None)
@given(sites=st.sets(st.integers(0, BLOCKS - 1), min_size=1))
def test_the_prompts_own_text_as_shadow_changes_nothing(
    dtype: torch.dtype, dual: tuple[int, ...], sites: set[int]
) -> None:
    """Property 1: reading one's own text through the shadow is the unguarded output."""
    batch = shared(dtype, dual)
    with ShadowText(batch.model, sorted(sites), batch.flagged(batch.text[2:])):
        edited = batch.run()
    assert relative(edited, batch.run()) < TOLERANCE[dtype]


@DUAL
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@settings(max_examples=8, deadline=None)
@given(sites=st.sets(st.integers(0, BLOCKS - 1), min_size=1))
def test_rows_that_are_not_flagged_are_bit_identical(
    dtype: torch.dtype, dual: tuple[int, ...], sites: set[int]
) -> None:
    """Property 2: unflagged rows equal those of an unguarded run of the same batch; flagged ones move."""
    batch = shared(dtype, dual)
    plain = batch.run()
    with ShadowText(batch.model, sorted(sites), batch.flagged()):
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
    with ShadowText(batch.model, range(BLOCKS), batch.flagged()):
        edited = batch.run()
    assert relative(edited, batch.run(donor_text)) < TOLERANCE[dtype]


def test_swapped_pooled_text_and_all_layers_equal_the_donor_prompt() -> None:
    """With the donor's pooled text as well, flagged rows are those of a plain run of the donor."""
    batch, pooled = make(), torch.randn(2, 32)
    donor_text, kept = batch.text.clone(), batch.pooled
    donor_text[2:] = batch.donors
    swapped = [
        FlaggedPrompt(f.embeds, f.donor, p) for f, p in zip(batch.flagged(), pooled, strict=True)
    ]
    with ShadowText(batch.model, range(BLOCKS), swapped):
        edited = batch.run()
    batch.pooled = torch.cat([kept[:2], pooled])
    expected = batch.run(donor_text)
    assert relative(edited, expected) < TOLERANCE[torch.float32]
    batch.pooled = kept
    assert relative(edited, batch.run(donor_text)) > 1e-2


@pytest.mark.parametrize("skipped", [[0], [2], [1, 4], [4]], ids=str)
@DUAL
def test_the_shadow_skips_the_blocks_that_a_call_skips(
    dual: tuple[int, ...], skipped: list[int]
) -> None:
    """Properties 2, 3 and 5 under `skip_layers` (SD3.5's skip-layer guidance), sites among the skipped."""
    batch = shared(dual=dual)
    donor_text = batch.text.clone()
    donor_text[2:] = batch.donors
    with ShadowText(batch.model, range(BLOCKS), batch.flagged()):
        batch.run()
        edited = batch.run(skip_layers=skipped)
    expected = batch.run(donor_text, skip_layers=skipped)
    assert relative(edited, expected) < TOLERANCE[torch.float32]
    assert torch.equal(edited[:2], batch.run(skip_layers=skipped)[:2])
    assert not torch.equal(edited, batch.run(donor_text))


def test_a_call_that_skips_every_site_is_the_prompts_own() -> None:
    """With its only site left out, a call reads no donor text, and that is no error."""
    batch = make()
    with ShadowText(batch.model, [2], batch.flagged()):
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


def test_weights_that_are_in_place_only_while_their_module_runs() -> None:
    """Sequential offloading: the shadow asks for no weights outside of the modules that hold them."""
    batch = make()
    with ShadowText(batch.model, [2], batch.flagged()):
        expected = batch.run()
    accelerate.cpu_offload(batch.model, torch.device("cpu"))
    assert batch.model.transformer_blocks[0].ff_context.net[2].weight.is_meta
    with ShadowText(batch.model, [2], batch.flagged()):
        assert torch.equal(batch.run(), expected)


def test_a_step_without_a_flagged_row_raises() -> None:
    """A step in which no row carried the flagged text is an error when the next step begins."""
    batch = make()

    def two_steps() -> None:
        with ShadowText(batch.model, [2], batch.flagged()):
            batch.run(torch.randn_like(batch.text), time=900.0)
            batch.run(time=800.0)

    with pytest.raises(SubstitutionError, match="no row of a denoising step"):
        two_steps()


def test_a_last_step_without_a_flagged_row_raises_on_leaving() -> None:
    """Nor may the last step pass unnoticed."""
    batch = make()
    with (
        pytest.raises(SubstitutionError, match="no row of a denoising step"),
        ShadowText(batch.model, [2], batch.flagged()),
    ):
        batch.run(torch.randn_like(batch.text))


def test_a_denoiser_that_never_ran_raises() -> None:
    """A `with` block that ends without one denoising step did not substitute anything."""
    batch = make()
    with (
        pytest.raises(SubstitutionError, match="never reached"),
        ShadowText(batch.model, [2], batch.flagged()),
    ):
        pass


def test_steps_before_the_start_are_unedited() -> None:
    """`start_step=1` leaves the first value of the timestep alone and edits the second."""
    batch = make()
    plain = batch.run(time=900.0), batch.run(time=800.0)
    with ShadowText(batch.model, [2], batch.flagged(), start_step=1):
        assert torch.equal(batch.run(time=900.0), plain[0])
        assert not torch.equal(batch.run(time=800.0), plain[1])


def test_separate_calls_for_guidance_are_told_apart() -> None:
    """Two calls a step, one without any flagged row, as pipelines with true guidance make them."""
    batch = make()
    other = torch.randn_like(batch.text)
    plain = batch.run(other)
    with ShadowText(batch.model, [2], batch.flagged()):
        assert torch.equal(batch.run(other), plain)
        batch.run()


def test_a_flagged_prompt_like_a_negative_prompt_is_refused() -> None:
    """Rows of both could not be told apart, so the edit is refused before anything is drawn."""
    batch = make()
    with pytest.raises(SubstitutionError, match="negative prompt"):
        ShadowText(batch.model, [2], batch.flagged(), unconditional=batch.text[2:3])
