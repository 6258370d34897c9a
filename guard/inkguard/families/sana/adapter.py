"""The adapter of Sana."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from diffusers import SanaSprintImg2ImgPipeline, SanaSprintPipeline

from inkguard.errors import InvalidInput
from inkguard.families.call_defaults import argument
from inkguard.families.projected_caption import CaptionAdapter

__all__ = ["SanaAdapter"]

_SPRINT = (SanaSprintPipeline, SanaSprintImg2ImgPipeline)


class SanaAdapter(CaptionAdapter):
    """`SanaPipeline`, its ControlNet variant, and SANA-Sprint, which is distilled: no negative prompt.

    A language model reads an instruction and then the caption; the instruction's states are dropped, but
    the caption's were made in its sight. The negative prompt is read without one.
    """

    in_template = True

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

    def _options(self, pipe: Any, call: Mapping[str, Any]) -> dict[str, Any]:
        options = super()._options(pipe, call)
        if isinstance(pipe, _SPRINT):
            del options["do_classifier_free_guidance"]
        return options | {
            "complex_human_instruction": argument(pipe, call, "complex_human_instruction"),
            "lora_scale": (call.get("attention_kwargs") or {}).get("scale"),
        }

    def _negative_options(self, pipe: Any, call: Mapping[str, Any]) -> dict[str, Any]:
        return {**self._options(pipe, call), "complex_human_instruction": None}

    def _unit(self, pipe: Any) -> int:
        patch = int(pipe.vae_scale_factor) * int(pipe.transformer.config.patch_size)
        return math.lcm(32, patch)  # the pipelines want multiples of 32
