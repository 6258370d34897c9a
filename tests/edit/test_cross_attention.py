"""What is particular to cross-attention in U-Nets: masks. tests/families/test_conformance.py has what holds in all families."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from inkguard.edit.cross_attention import CrossText, cross_attention_sites
from inkguard.edit.rows import FlaggedPrompt
from inkguard.errors import SubstitutionError

TOKENS, WIDTH = 7, 24


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
