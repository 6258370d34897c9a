"""A small stock SD3Transformer2DModel of random weights, and one call of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from diffusers import SD3Transformer2DModel

from inkguard.edit.rows import FlaggedPrompt

BLOCKS, TOKENS, WIDTH = 5, 10, 32


@dataclass
class Batch:
    """Inputs of one denoiser call with a batch of 4, and donor text for rows 2 and 3."""

    model: SD3Transformer2DModel
    picture: torch.Tensor
    text: torch.Tensor
    pooled: torch.Tensor
    donors: torch.Tensor
    time: float = 500.0

    def run(
        self, text: torch.Tensor | None = None, time: float | None = None, **options: Any
    ) -> torch.Tensor:
        with torch.no_grad():
            return self.model(
                hidden_states=self.picture,
                timestep=torch.full((4,), self.time if time is None else time),
                encoder_hidden_states=self.text if text is None else text,
                pooled_projections=self.pooled,
                return_dict=False,
                **options,
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


shared = cache(make)
"""For tests that leave the model as it was, which property 4 says of all that only edit it."""
