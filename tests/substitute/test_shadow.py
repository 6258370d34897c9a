"""The five properties of substitution (DESIGN section 2) on a stock SD3Transformer2DModel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from diffusers import SD3Transformer2DModel
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.errors import SubstitutionError
from guard.substitute.rows import FlaggedPrompt
from guard.substitute.shadow import ShadowText

BLOCKS, TOKENS, WIDTH = 5, 10, 32
# Largest difference over the mean size of the output. Float32 is a few roundings; bfloat16 keeps 8
# bits, and the split attention adds its terms in another order.
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 0.2}


@dataclass
class Batch:
    """Inputs of one denoiser call with a batch of 4, and donor text for rows 2 and 3."""

    model: SD3Transformer2DModel
    picture: torch.Tensor
    text: torch.Tensor
    pooled: torch.Tensor
    donors: torch.Tensor
    time: float = 500.0

    def run(self, text: torch.Tensor | None = None, time: float | None = None) -> torch.Tensor:
        with torch.no_grad():
            return self.model(
                hidden_states=self.picture,
                timestep=torch.full((4,), self.time if time is None else time),
                encoder_hidden_states=self.text if text is None else text,
                pooled_projections=self.pooled,
                return_dict=False,
            )[0]

    def flagged(self, donors: torch.Tensor | None = None) -> list[FlaggedPrompt]:
        donors = self.donors if donors is None else donors
        return [FlaggedPrompt(self.text[2], donors[0]), FlaggedPrompt(self.text[3], donors[1])]


def make(dtype: torch.dtype = torch.float32, dual: tuple[int, ...] = ()) -> Batch:
    torch.manual_seed(0)
    model = SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=BLOCKS,
        attention_head_dim=16,
        num_attention_heads=4,
        joint_attention_dim=WIDTH,
        caption_projection_dim=64,
        pooled_projection_dim=32,
        pos_embed_max_size=8,
        qk_norm="rms_norm",
        dual_attention_layers=dual,
    ).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.15)
    shapes = ((4, 4, 8, 8), (4, TOKENS, WIDTH), (4, 32), (2, TOKENS, WIDTH))
    return Batch(model.to(dtype), *(torch.randn(shape).to(dtype) for shape in shapes))


def snapshot(model: torch.nn.Module) -> list[object]:
    """Everything that an edit could leave behind: hooks, processors, attributes."""
    state: list[object] = []
    for name, module in model.named_modules():
        state.append((name, sorted(module.__dict__), id(getattr(module, "processor", None))))
        state.append((len(module._forward_hooks), len(module._forward_pre_hooks)))
    return state


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).float().abs().max() / b.float().abs().mean())


@pytest.mark.parametrize("dual", [(), (0, 2)], ids=["sd3", "sd3.5-dual-attention"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@settings(max_examples=8, deadline=None)
@given(sites=st.sets(st.integers(0, BLOCKS - 1), min_size=1))
def test_the_prompts_own_text_as_shadow_changes_nothing(
    dtype: torch.dtype, dual: tuple[int, ...], sites: set[int]
) -> None:
    """Property 1: reading one's own text through the shadow is the unguarded output."""
    batch = make(dtype, dual)
    with ShadowText(batch.model, sorted(sites), batch.flagged(batch.text[2:])):
        edited = batch.run()
    assert relative(edited, batch.run()) < TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@settings(max_examples=8, deadline=None)
@given(sites=st.sets(st.integers(0, BLOCKS - 1), min_size=1))
def test_rows_that_are_not_flagged_are_bit_identical(dtype: torch.dtype, sites: set[int]) -> None:
    """Property 2: unflagged rows equal those of an unguarded run of the same batch; flagged ones move."""
    batch = make(dtype)
    plain = batch.run()
    with ShadowText(batch.model, sorted(sites), batch.flagged()):
        edited = batch.run()
    assert torch.equal(edited[:2], plain[:2])
    assert not torch.equal(edited[2:], plain[2:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_all_layers_as_sites_equal_the_donor_prompt(dtype: torch.dtype) -> None:
    """Property 3: with every block a site the picture is the donor prompt's, pooled text held fixed."""
    batch = make(dtype)
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


def test_leaving_restores_the_model() -> None:
    """Property 4: after the `with` no hook, processor or attribute is left and outputs are the same."""
    batch = make()
    before, plain = snapshot(batch.model), batch.run()
    with ShadowText(batch.model, [1, 3], batch.flagged()):
        assert snapshot(batch.model) != before
        batch.run()
    assert snapshot(batch.model) == before
    assert torch.equal(batch.run(), plain)


def test_leaving_by_an_exception_restores_the_model() -> None:
    """Property 4: also when the block or the denoiser itself raises."""
    batch = make()
    before = snapshot(batch.model)

    def explode(*_: object) -> None:
        raise RuntimeError("boom")

    handle = batch.model.transformer_blocks[2].ff.register_forward_pre_hook(explode)
    with pytest.raises(RuntimeError, match="boom"), ShadowText(batch.model, [3], batch.flagged()):
        batch.run()
    handle.remove()
    assert snapshot(batch.model) == before


def test_a_failing_entry_leaves_no_hook() -> None:
    """Property 4: entering is all or none; a bad last block undoes the first ones."""
    batch = make()
    batch.model.transformer_blocks[3].attn.fused_projections = True
    before = snapshot(batch.model)
    with (
        pytest.raises(SubstitutionError, match="block 3 has fused"),
        ShadowText(batch.model, [3], batch.flagged()),
    ):
        pass
    assert snapshot(batch.model) == before


def test_a_site_that_is_bypassed_raises() -> None:
    """Property 5: a processor replaced behind the guard's back means an error, not silence."""
    batch = make()
    with ShadowText(batch.model, [2], batch.flagged()):
        attn = batch.model.transformer_blocks[2].attn
        attn.processor = attn.processor._original
        with pytest.raises(SubstitutionError, match="should each have fired once"):
            batch.run()


def test_a_skipped_block_is_not_expected_to_fire() -> None:
    """Property 5: `skip_layers` (SD3.5's skip-layer guidance) takes a site out of the count."""
    batch = make()
    with ShadowText(batch.model, [2], batch.flagged()), torch.no_grad():
        batch.run()
        batch.model(
            hidden_states=batch.picture,
            timestep=torch.full((4,), batch.time),
            encoder_hidden_states=batch.text,
            pooled_projections=batch.pooled,
            skip_layers=[2],
        )


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


def refusals() -> dict[str, tuple[Callable[[SD3Transformer2DModel], object], str]]:
    return {
        "fused": (lambda m: m.fuse_qkv_projections(), "fused|FusedJoint"),
        "compiled": (lambda m: m.compile(backend="eager"), "compiled"),
        "compiled-block": (lambda m: m.transformer_blocks[0].compile(backend="eager"), "compiled"),
        "cache": (enable_cache, "may skip sites"),
    }


def enable_cache(model: SD3Transformer2DModel) -> None:
    from diffusers.hooks import LayerSkipConfig, apply_layer_skip

    apply_layer_skip(
        model, LayerSkipConfig(indices=[1], fqn="transformer_blocks", skip_attention=False)
    )


@pytest.mark.parametrize("case", list(refusals()))
def test_what_could_skip_a_site_is_refused(case: str) -> None:
    """Fused projections, compiled modules and foreign diffusers hooks raise on entry, with the reason."""
    batch = make()
    change, message = refusals()[case]
    change(batch.model)
    with (
        pytest.raises(SubstitutionError, match=message),
        ShadowText(batch.model, [2], batch.flagged()),
    ):
        pass


def test_sites_that_do_not_exist_are_refused() -> None:
    """A site beyond the last block is named."""
    batch = make()
    with (
        pytest.raises(SubstitutionError, match=r"sites \[7\] do not exist"),
        ShadowText(batch.model, [7], batch.flagged()),
    ):
        pass
