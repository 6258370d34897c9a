"""A small stock FluxTransformer2DModel of random weights, and one call of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from diffusers import FluxTransformer2DModel

from inkguard.edit.rows import FlaggedPrompt

DOUBLE, SINGLE, TOKENS, WIDTH, SIDE = 2, 3, 6, 24, 4
SITES = DOUBLE + SINGLE


@dataclass
class Batch:
    """Inputs of one denoiser call with a batch of 4, and donor text for rows 2 and 3."""

    model: FluxTransformer2DModel
    picture: torch.Tensor
    text: torch.Tensor
    pooled: torch.Tensor
    donors: torch.Tensor
    options: dict[str, Any] = field(default_factory=dict)

    def run(
        self, text: torch.Tensor | None = None, time: float = 0.5, **options: Any
    ) -> torch.Tensor:
        places = torch.arange(SIDE * SIDE)
        picture_ids = torch.stack([places * 0, places // SIDE, places % SIDE], dim=1)
        given = {
            "hidden_states": self.picture,
            "timestep": torch.full((4,), time),
            "encoder_hidden_states": self.text if text is None else text,
            "pooled_projections": self.pooled,
            "txt_ids": torch.zeros(TOKENS, 3),
            "img_ids": picture_ids.float(),
            "return_dict": False,
        }
        with torch.no_grad():
            return self.model(**{**given, **self.options, **options})[0]

    def flagged(self, donors: torch.Tensor | None = None) -> list[FlaggedPrompt]:
        donors = self.donors if donors is None else donors
        return [FlaggedPrompt(self.text[2], donors[0]), FlaggedPrompt(self.text[3], donors[1])]

    def donor_text(self) -> torch.Tensor:
        return torch.cat([self.text[:2], self.donors])


def make(dtype: torch.dtype = torch.float32, distilled: bool = False) -> Batch:
    torch.manual_seed(0)
    model = FluxTransformer2DModel(
        in_channels=8,
        num_layers=DOUBLE,
        num_single_layers=SINGLE,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=16,
        guidance_embeds=distilled,
        axes_dims_rope=(4, 4, 8),
    ).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.15)
    shapes = ((4, SIDE * SIDE, 8), (4, TOKENS, WIDTH), (4, 16), (2, TOKENS, WIDTH))
    tensors = (torch.randn(shape).to(dtype) for shape in shapes)
    options = {"guidance": torch.full((4,), 3.5)} if distilled else {}
    return Batch(model.to(dtype), *tensors, options)


shared = cache(make)
"""For tests that leave the model as it was, which property 4 says of all that only edit it."""
