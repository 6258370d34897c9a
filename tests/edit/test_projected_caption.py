"""What is particular to PixArt and Sana: masks, and arguments by place. tests/families/test_conformance.py has the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
import torch
from diffusers import (
    PixArtTransformer2DModel,
    SanaTransformer2DModel,
)

from inkguard.edit.projected_caption import CaptionText
from inkguard.edit.rows import FlaggedPrompt
from inkguard.errors import SubstitutionError

SITES, TOKENS, WIDTH = 4, 7, 24
FAMILIES = ("pixart-alpha", "pixart-sigma", "sana", "sana-sprint")


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
