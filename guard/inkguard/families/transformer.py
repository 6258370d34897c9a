"""What the adapters of families with a `transformer` have in common."""

from __future__ import annotations

from typing import Any

from torch import nn

from inkguard.edit.sites import attention_sites
from inkguard.families.base import PipelineAdapter
from inkguard.families.picture_size import MAX_SIDE, check_side

__all__ = ["TransformerAdapter"]


class TransformerAdapter(PipelineAdapter):
    """Latents are packed two by two, unless a family says otherwise."""

    denoiser_component = "transformer"

    def sites(self, pipe: Any) -> list[tuple[str, nn.Module]]:
        return attention_sites(pipe.transformer)

    def check_size(self, pipe: Any, width: int | None, height: int | None) -> None:
        unit = self._unit(pipe)
        check_side("width", width, unit, MAX_SIDE)
        check_side("height", height, unit, MAX_SIDE)

    def _unit(self, pipe: Any) -> int:
        """What a side in pixels must be a multiple of."""
        return int(pipe.vae_scale_factor) * 2
