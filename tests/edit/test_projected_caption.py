"""The five properties of substitution (DESIGN section 2) on stock PixArt and Sana transformers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import accelerate
import pytest
import torch
from diffusers import (
    PixArtTransformer2DModel,
    PyramidAttentionBroadcastConfig,
    SanaTransformer2DModel,
    apply_pyramid_attention_broadcast,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from inkguard.edit.sites import attention_sites, caption_sites

from inkguard.edit.projected_caption import CaptionText
from inkguard.edit.rows import FlaggedPrompt
from inkguard.errors import SubstitutionError
from tests.edit.parity import snapshot

SITES, TOKENS, WIDTH = 4, 7, 24
FAMILIES = ("pixart-alpha", "pixart-sigma", "sana", "sana-sprint")
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)


@dataclass
class Batch:
    """Inputs of one denoiser call with a batch of 4, and donor text for rows 2 and 3."""

    model: Any
    picture: torch.Tensor
    text: torch.Tensor
    donors: torch.Tensor
    mask: torch.Tensor
    donor_masks: torch.Tensor
    options: dict[str, Any] = field(default_factory=dict)

    def run(
        self, text: torch.Tensor | None = None, mask: torch.Tensor | None = None, **more: Any
    ) -> torch.Tensor:
        given = {
            "encoder_hidden_states": self.text if text is None else text,
            "encoder_attention_mask": self.mask if mask is None else mask,
            "timestep": torch.full((4,), 500),
            "return_dict": False,
        }
        with torch.no_grad():
            return self.model(self.picture, **{**given, **self.options, **more})[0]

    def flagged(self) -> list[FlaggedPrompt]:
        return [
            FlaggedPrompt(self.text[row], self.donors[n], donor_mask=self.donor_masks[n])
            for n, row in enumerate((2, 3))
        ]

    def own(self) -> list[FlaggedPrompt]:
        """The flagged prompts with their own text as donor."""
        return [
            FlaggedPrompt(self.text[row], self.text[row], donor_mask=self.mask[row])
            for row in (2, 3)
        ]

    def as_donors(self) -> torch.Tensor:
        """The unguarded output with the donors' text and masks in the flagged rows."""
        return self.run(
            torch.cat([self.text[:2], self.donors]), torch.cat([self.mask[:2], self.donor_masks])
        )


def mask(*lengths: int) -> torch.Tensor:
    return (torch.arange(TOKENS)[None] < torch.tensor(lengths)[:, None]).long()


def make(family: str, dtype: torch.dtype = torch.float32) -> Batch:
    torch.manual_seed(0)
    common: dict[str, Any] = {
        "num_layers": SITES,
        "num_attention_heads": 2,
        "attention_head_dim": 12,
        "cross_attention_dim": 24,
        "caption_channels": WIDTH,
        "in_channels": 4,
    }
    options: dict[str, Any] = {}
    model: torch.nn.Module
    if family.startswith("pixart"):
        alpha = family == "pixart-alpha"
        model = PixArtTransformer2DModel(sample_size=128 if alpha else 64, **common)
        if alpha:
            conditions = {"resolution": torch.full((4, 2), 64.0), "aspect_ratio": torch.ones(4, 1)}
            options["added_cond_kwargs"] = {k: v.to(dtype) for k, v in conditions.items()}
    else:
        sprint = family == "sana-sprint"
        model = SanaTransformer2DModel(
            num_cross_attention_heads=2,
            cross_attention_head_dim=12,
            guidance_embeds=sprint,
            **common,
        )
        if sprint:
            options["guidance"] = torch.full((4,), 0.45)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.15)
    shapes = ((4, 4, 8, 8), (4, TOKENS, WIDTH), (2, TOKENS, WIDTH))
    tensors = (torch.randn(shape).to(dtype) for shape in shapes)
    return Batch(model.eval().to(dtype), *tensors, mask(7, 3, 4, 5), mask(6, 3), options)


shared = cache(make)
"""For tests that leave the model as it was, which property 4 says of all that only edit it."""


@pytest.mark.parametrize("family", FAMILIES)
def test_sites_are_in_the_order_in_which_the_model_runs_them(family: str) -> None:
    """One a block, first to last, as hooks on the sites see them; none is self-attention."""
    batch, fired = shared(family), []
    sites = attention_sites(batch.model)
    names = [name for name, _ in sites]
    assert names == [f"transformer_blocks.{n}.attn2" for n in range(SITES)]
    hooks = [attn.register_forward_hook(lambda *_, n=name: fired.append(n)) for name, attn in sites]
    batch.run()
    for hook in hooks:
        hook.remove()
    assert fired == names


@DTYPES
@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=4, deadline=None)
@given(sites=st.sets(st.integers(0, SITES - 1), min_size=1))
def test_the_prompts_own_text_changes_nothing(
    family: str, dtype: torch.dtype, sites: set[int]
) -> None:
    """Property 1: reading one's own caption at any sites is the unguarded output, bit by bit."""
    batch = shared(family, dtype)
    with CaptionText(batch.model, sorted(sites), batch.own()):
        edited = batch.run()
    assert torch.equal(edited, batch.run())


@DTYPES
@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=4, deadline=None)
@given(sites=st.sets(st.integers(0, SITES - 1), min_size=1))
def test_rows_that_are_not_flagged_are_bit_identical(
    family: str, dtype: torch.dtype, sites: set[int]
) -> None:
    """Property 2: unflagged rows equal those of an unguarded run of the same batch; flagged ones move."""
    batch = shared(family, dtype)
    plain = batch.run()
    with CaptionText(batch.model, sorted(sites), batch.flagged()):
        edited = batch.run()
    assert torch.equal(edited[:2], plain[:2])
    assert not torch.equal(edited[2], plain[2])
    assert not torch.equal(edited[3], plain[3])


@DTYPES
@pytest.mark.parametrize("family", FAMILIES)
def test_all_sites_equal_the_donor_prompt(family: str, dtype: torch.dtype) -> None:
    """Property 3, bit by bit, with donors that are longer and shorter than their prompts."""
    batch = shared(family, dtype)
    with CaptionText(batch.model, range(SITES), batch.flagged()):
        edited = batch.run()
    assert torch.equal(edited, batch.as_donors())


@pytest.mark.parametrize("family", FAMILIES)
def test_leaving_restores_the_model(family: str) -> None:
    """Property 4: no hook or attribute is left and outputs are the same, also after an exception."""
    batch = make(family)
    before, plain = snapshot(batch.model), batch.run()
    with CaptionText(batch.model, [0, 2], batch.flagged()):
        assert snapshot(batch.model) != before
        batch.run()

    def fail() -> None:
        with CaptionText(batch.model, [1], batch.flagged()):
            batch.run()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert snapshot(batch.model) == before
    assert torch.equal(batch.run(), plain)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_site_that_does_not_fire_is_an_error(family: str) -> None:
    """Property 5: a block that skips its attention to text is noticed, and so is one that reads twice."""
    batch = make(family)
    block = batch.model.transformer_blocks[2]
    attn = block.attn2

    class Absent(torch.nn.Module):
        def forward(self, picture: torch.Tensor, **_: Any) -> torch.Tensor:
            return torch.zeros_like(picture)

    class Twice(torch.nn.Module):
        def forward(self, picture: torch.Tensor, **more: Any) -> torch.Tensor:
            return attn(attn(picture, **more), **more)

    for wrong, fired in ((Absent(), r"\[1\]"), (Twice(), r"\[1, 2, 2\]")):
        edit = CaptionText(batch.model, [1, 2], batch.flagged())

        def run_with(edit: CaptionText, wrong: torch.nn.Module) -> None:
            with edit:
                block.attn2 = wrong
                batch.run()

        with pytest.raises(SubstitutionError, match=rf"\[1, 2\] should .* once, but {fired} did"):
            run_with(edit, wrong)
        block.attn2 = attn


def test_a_step_without_a_flagged_row_is_an_error() -> None:
    """Silence would be an unguarded picture."""
    batch = shared("sana")
    with (
        pytest.raises(SubstitutionError, match="no row"),
        CaptionText(batch.model, [0], batch.flagged()),
    ):
        batch.run(torch.randn_like(batch.text))


def test_a_donor_without_a_mask_is_refused_where_captions_are_masked() -> None:
    """The prompt's mask would hide part of a longer donor; without any mask none is needed."""
    batch = shared("pixart-sigma")
    bare = [FlaggedPrompt(f.embeds, f.donor) for f in batch.flagged()]
    with (
        pytest.raises(SubstitutionError, match="donor has none"),
        CaptionText(batch.model, [0], bare),
    ):
        batch.run()
    with CaptionText(batch.model, range(SITES), bare):
        edited = batch.run(encoder_attention_mask=None)
    donor_text = torch.cat([batch.text[:2], batch.donors])
    assert torch.equal(edited, batch.run(donor_text, encoder_attention_mask=None))


@pytest.mark.parametrize("family", FAMILIES)
def test_arguments_by_place_and_a_mask_as_bias_are_understood(family: str) -> None:
    """The model's signature says which argument is which; a bias (B, 1, T) is a mask as well."""
    batch = shared(family)
    bias = (1 - batch.mask.float())[:, None] * -10000.0
    with (
        torch.no_grad(),
        CaptionText(batch.model, range(SITES), batch.flagged()),
    ):
        edited = batch.model(
            batch.picture,
            batch.text,
            torch.full((4,), 500),
            **batch.options,
            encoder_attention_mask=bias,
            return_dict=False,
        )[0]
    assert torch.equal(edited, batch.as_donors())


def test_early_steps_run_unedited() -> None:
    """Up to `start_step` the picture is the prompt's own."""
    batch = shared("sana")
    plain = batch.run()
    with CaptionText(batch.model, [0], batch.flagged(), start_step=1):
        assert torch.equal(batch.run(), plain)
        later = batch.run(timestep=torch.full((4,), 400))
    assert not torch.equal(later[2:], batch.run(timestep=torch.full((4,), 400))[2:])


@pytest.mark.parametrize("family", ["pixart-sigma", "sana"])
def test_weights_that_are_elsewhere_between_calls(family: str) -> None:
    """With accelerate's offloading the projection has weights only while the model runs."""
    batch = make(family)
    expected = batch.as_donors()
    accelerate.cpu_offload(batch.model, execution_device=torch.device("cpu"))
    assert {p.device.type for p in batch.model.parameters()} == {"meta"}
    with CaptionText(batch.model, range(SITES), batch.flagged()):
        edited = batch.run()
    assert torch.equal(edited, expected)


@pytest.mark.parametrize("family", ["pixart-sigma", "sana"])
def test_what_cannot_be_trusted_is_refused(family: str) -> None:
    """Sites that do not exist, other models, caches, and fused models; the model is untouched."""
    batch = make(family)
    before = snapshot(batch.model)

    def refused(model: Any, match: str, sites: tuple[int, ...] = (0,)) -> None:
        with (
            pytest.raises(SubstitutionError, match=match),
            CaptionText(model, sites, batch.flagged()),
        ):
            raise AssertionError

    refused(batch.model, "do not exist: the model has sites 0 to 3", (SITES,))
    refused(torch.nn.Linear(1, 1), "is not a plain")
    assert snapshot(batch.model) == before

    cached = make(family).model
    reads = PyramidAttentionBroadcastConfig(
        cross_attention_block_skip_range=2, current_timestep_callback=lambda: 500
    )
    apply_pyramid_attention_broadcast(cached, reads)
    refused(cached, "has the hook 'pyramid_attention_broadcast'")
    fused = make(family).model
    caption_sites(fused)[0][1].fuse_projections()
    refused(fused, r"transformer_blocks\.0\.attn2 has fused projections")
