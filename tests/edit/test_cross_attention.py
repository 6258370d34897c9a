"""The five properties of substitution (DESIGN section 2) on stock U-Nets with random weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.hooks import HookRegistry, ModelHook
from hypothesis import given, settings
from hypothesis import strategies as st

from inkguard.edit.cross_attention import CrossText, cross_attention_sites
from inkguard.edit.rows import FlaggedPrompt
from inkguard.errors import SubstitutionError
from tests.edit.parity import snapshot

TOKENS, WIDTH = 7, 24
FAMILIES = ("sd", "sdxl", "if")
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)


@dataclass
class Batch:
    """Inputs of one denoiser call with a batch of 4, and donor text for rows 2 and 3."""

    model: UNet2DConditionModel
    picture: torch.Tensor
    text: torch.Tensor
    donors: torch.Tensor
    options: dict[str, Any] = field(default_factory=dict)

    def run(self, text: torch.Tensor | None = None, **options: Any) -> torch.Tensor:
        with torch.no_grad():
            return self.model(
                self.picture,
                500,
                encoder_hidden_states=self.text if text is None else text,
                return_dict=False,
                **self.options,
                **options,
            )[0]

    def flagged(self, donors: torch.Tensor | None = None) -> list[FlaggedPrompt]:
        donors = self.donors if donors is None else donors
        return [FlaggedPrompt(self.text[2], donors[0]), FlaggedPrompt(self.text[3], donors[1])]


def make(family: str, dtype: torch.dtype = torch.float32) -> Batch:
    torch.manual_seed(0)
    common: dict[str, Any] = {
        "sample_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "cross_attention_dim": WIDTH,
    }
    special: dict[str, dict[str, Any]] = {
        "sd": {
            "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
            "attention_head_dim": 4,
        },
        "sdxl": {
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": 2,
            "attention_head_dim": 4,
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 16 + 6 * 8,
        },
        # Added keys, text projected inside of the denoiser, and pooled there into the time embedding.
        "if": {
            "down_block_types": ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
            "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
            "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
            "attention_head_dim": 8,
            "encoder_hid_dim": WIDTH,
            "encoder_hid_dim_type": "text_proj",
            "cross_attention_dim": 16,
            "addition_embed_type": "text",
            "addition_embed_type_num_heads": 2,
            "resnet_time_scale_shift": "scale_shift",
        },
    }
    model = UNet2DConditionModel(**{**common, **special[family]}).eval()
    options: dict[str, Any] = {}
    if family == "sdxl":
        conditions = {"text_embeds": torch.randn(4, 16), "time_ids": torch.ones(4, 6)}
        options["added_cond_kwargs"] = {k: v.to(dtype) for k, v in conditions.items()}
    shapes = ((4, 4, 8, 8), (4, TOKENS, WIDTH), (2, TOKENS, WIDTH))
    return Batch(model.to(dtype), *(torch.randn(s).to(dtype) for s in shapes), options)


shared = cache(make)
"""For tests that leave the model as it was, which property 4 says of all that only edit it."""


def sites_of(batch: Batch) -> int:
    return len(cross_attention_sites(batch.model))


@pytest.mark.parametrize("family", FAMILIES)
def test_sites_are_in_the_order_in_which_the_model_runs_them(family: str) -> None:
    """Hooks on every site fire in the order of the list: the mid block's between down and up."""
    batch, fired = shared(family), []
    sites = cross_attention_sites(batch.model)
    names = [name for name, _ in sites]
    hooks = [attn.register_forward_hook(lambda *_, n=name: fired.append(n)) for name, attn in sites]
    batch.run()
    for hook in hooks:
        hook.remove()
    assert fired == names
    assert len({name.split(".")[0] for name in names}) == 3


@DTYPES
@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_the_prompts_own_text_changes_nothing(
    family: str, dtype: torch.dtype, data: st.DataObject
) -> None:
    """Property 1: reading one's own embeddings at any sites is the unguarded output, bit by bit."""
    batch = shared(family, dtype)
    sites = data.draw(st.sets(st.integers(0, sites_of(batch) - 1), min_size=1))
    with CrossText(batch.model, sorted(sites), batch.flagged(batch.text[2:])):
        edited = batch.run()
    assert torch.equal(edited, batch.run())


@DTYPES
@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_rows_that_are_not_flagged_are_bit_identical(
    family: str, dtype: torch.dtype, data: st.DataObject
) -> None:
    """Property 2: unflagged rows equal those of an unguarded run of the same batch; flagged ones move."""
    batch = shared(family, dtype)
    sites = data.draw(st.sets(st.integers(0, sites_of(batch) - 1), min_size=1))
    plain = batch.run()
    with CrossText(batch.model, sorted(sites), batch.flagged()):
        edited = batch.run()
    assert torch.equal(edited[:2], plain[:2])
    assert not torch.equal(edited[2:], plain[2:])


@DTYPES
@pytest.mark.parametrize("family", FAMILIES)
def test_all_sites_equal_the_donor_prompt(family: str, dtype: torch.dtype) -> None:
    """Property 3: bit by bit, with text that is folded in elsewhere held fixed."""
    batch = shared(family, dtype)
    donor_text = batch.text.clone()
    donor_text[2:] = batch.donors
    with CrossText(batch.model, range(sites_of(batch)), batch.flagged()):
        edited = batch.run()
    if family == "if":
        # IF pools the text inside of the denoiser: hold that at the prompt's own.
        pooled = batch.model.add_embedding(batch.text).detach()
        hook = batch.model.add_embedding.register_forward_hook(lambda *_: pooled)
        expected = batch.run(donor_text)
        hook.remove()
    else:
        expected = batch.run(donor_text)
    assert torch.equal(edited, expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_leaving_restores_the_model(family: str) -> None:
    """Property 4: no hook or attribute is left and outputs are the same, also after an exception."""
    batch = make(family)
    before, plain = snapshot(batch.model), batch.run()
    with CrossText(batch.model, [0, 2], batch.flagged()):
        assert snapshot(batch.model) != before
        batch.run()

    def fail() -> None:
        with CrossText(batch.model, [1], batch.flagged()):
            batch.run()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert snapshot(batch.model) == before
    assert torch.equal(batch.run(), plain)


def test_a_site_that_does_not_fire_is_an_error() -> None:
    """Property 5: a processor that never calls its attention module's site is noticed."""
    batch = make("sdxl")
    name, attn = cross_attention_sites(batch.model)[3]
    block = batch.model.get_submodule(name.rpartition(".")[0])

    def run_without_the_site() -> None:
        with CrossText(batch.model, [3, 4], batch.flagged()):
            block.attn2 = torch.nn.Module()
            block.attn2.forward = lambda x, **_: x  # type: ignore[method-assign]
            batch.run()

    with pytest.raises(SubstitutionError, match=r"\[3, 4\] should each have fired once"):
        run_without_the_site()
    block.attn2 = attn


def test_a_site_that_fires_twice_is_an_error() -> None:
    """Property 5 the other way: text would be read in places that were never measured."""
    batch = make("sdxl")
    name, attn = cross_attention_sites(batch.model)[3]
    block = batch.model.get_submodule(name.rpartition(".")[0])

    class Twice(torch.nn.Module):
        def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
            attn(*args, **kwargs)
            return attn(*args, **kwargs)

    def run_the_site_twice() -> None:
        with CrossText(batch.model, [3], batch.flagged()):
            block.attn2 = Twice()
            batch.run()

    with pytest.raises(SubstitutionError, match=r"\[3\] should each have fired once"):
        run_the_site_twice()


def test_a_step_without_a_flagged_row_is_an_error() -> None:
    """Silence would be an unguarded picture."""
    batch = shared("sd")
    with (
        pytest.raises(SubstitutionError, match="no row"),
        CrossText(batch.model, [0], batch.flagged()),
    ):
        batch.run(torch.randn_like(batch.text))


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_masks_of_the_donor_are_honoured(family: str) -> None:
    """With all sites it is the donor prompt with the donor's mask; without one it is refused."""
    batch = shared(family)
    own = torch.ones(4, TOKENS, dtype=torch.long)
    own[:, 5:] = 0
    donor_mask = torch.ones(2, TOKENS, dtype=torch.long)
    donor_mask[:, 3:] = 0
    flagged = [
        FlaggedPrompt(f.embeds, f.donor, donor_mask=m)
        for f, m in zip(batch.flagged(), donor_mask, strict=True)
    ]
    with CrossText(batch.model, range(sites_of(batch)), flagged):
        edited = batch.run(encoder_attention_mask=own)
    donor_text, mask = batch.text.clone(), own.clone()
    donor_text[2:], mask[2:] = batch.donors, donor_mask
    assert torch.equal(edited, batch.run(donor_text, encoder_attention_mask=mask))
    with (
        pytest.raises(SubstitutionError, match="mask"),
        CrossText(batch.model, [0], batch.flagged()),
    ):
        batch.run(encoder_attention_mask=own)


def test_swapped_pooled_text_and_all_sites_equal_the_donor_prompt() -> None:
    """With the donor's pooled text as well, flagged rows are those of a plain run of the donor."""
    batch, pooled = make("sdxl"), torch.randn(2, 16)
    donor_text = batch.text.clone()
    donor_text[2:] = batch.donors
    swapped = [
        FlaggedPrompt(f.embeds, f.donor, p) for f, p in zip(batch.flagged(), pooled, strict=True)
    ]
    with CrossText(batch.model, range(sites_of(batch)), swapped):
        edited = batch.run()
    conditions = batch.options["added_cond_kwargs"]
    text_embeds = torch.cat([conditions["text_embeds"][:2], pooled])
    batch.options["added_cond_kwargs"] = {**conditions, "text_embeds": text_embeds}
    assert torch.equal(edited, batch.run(donor_text))


def test_early_steps_run_unedited() -> None:
    """Up to `start_step` the picture is the prompt's own."""
    batch = shared("sd")
    plain = batch.run()
    with CrossText(batch.model, [0], batch.flagged(), start_step=1):
        assert torch.equal(batch.run(), plain)
        with torch.no_grad():
            later = batch.model(batch.picture, 400, batch.text, return_dict=False)[0]
    with torch.no_grad():
        unedited = batch.model(batch.picture, 400, batch.text, return_dict=False)[0]
    assert not torch.equal(later[2:], unedited[2:])


def test_what_cannot_be_trusted_is_refused() -> None:
    """Sites that do not exist, other and fused models; the model is untouched."""
    batch = make("sdxl")
    before = snapshot(batch.model)
    with (
        pytest.raises(SubstitutionError, match="do not exist"),
        CrossText(batch.model, [99], batch.flagged()),
    ):
        raise AssertionError
    with (
        pytest.raises(SubstitutionError, match="plain UNet2DConditionModel"),
        CrossText(torch.nn.Linear(1, 1), [0], batch.flagged()),
    ):
        raise AssertionError
    assert snapshot(batch.model) == before
    batch.model.fuse_qkv_projections()
    with (
        pytest.raises(SubstitutionError, match="fused"),
        CrossText(batch.model, [0], batch.flagged()),
    ):
        raise AssertionError


def test_hooks_that_may_skip_a_site_are_refused() -> None:
    """As caches put on blocks. The model is untouched."""
    batch = make("sd")
    block = batch.model.down_blocks[0]
    HookRegistry.check_if_exists_or_initialize(block).register_hook(ModelHook(), "cache")
    before = snapshot(batch.model)
    with (
        pytest.raises(SubstitutionError, match="hook 'cache', which may skip sites"),
        CrossText(batch.model, [0], batch.flagged()),
    ):
        raise AssertionError
    assert snapshot(batch.model) == before
