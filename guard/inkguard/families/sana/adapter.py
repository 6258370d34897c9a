"""The adapter of Sana."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from diffusers.models.attention_processor import (
    SanaLinearAttnProcessor2_0,
    SanaMultiscaleAttnProcessor2_0,
)
from diffusers.models.transformers.sana_transformer import SanaAttnProcessor2_0

from inkguard.errors import InvalidInput
from inkguard.families.call_defaults import argument
from inkguard.families.caption_adapter import CaptionAdapter

__all__ = ["SanaAdapter"]


class SanaAdapter(CaptionAdapter):
    """`SanaPipeline`, its ControlNet variant, and SANA-Sprint, which is distilled: no negative prompt.

    A language model reads an instruction and then the caption; the instruction's states are dropped, but
    the caption's were made in its sight. The negative prompt is read without one.
    """

    in_template = True
    processors = frozenset(
        {SanaAttnProcessor2_0, SanaLinearAttnProcessor2_0, SanaMultiscaleAttnProcessor2_0}
    )

    def read_text(self, pipe: Any, call: Mapping[str, Any], name: str, text: str) -> str:
        """As in the base class; raises InvalidInput for an instruction other than the pipeline's own."""
        instruction = argument(pipe, call, "complex_human_instruction")
        if instruction and instruction != argument(pipe, {}, "complex_human_instruction"):
            raise InvalidInput(
                "complex_human_instruction",
                "the model reads it before the prompt, and it cannot be checked: leave it out for the "
                "pipeline's own, or pass None for none",
            )
        return super().read_text(pipe, call, name, text)

    def unit(self, pipe: Any) -> int:
        patch = int(pipe.vae_scale_factor) * int(pipe.transformer.config.patch_size)
        return math.lcm(32, patch)  # the pipelines want multiples of 32
