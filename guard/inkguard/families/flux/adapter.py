"""The adapter of FLUX.1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers.models.transformers.transformer_flux import (
    FluxAttnProcessor,
    FluxIPAdapterAttnProcessor,
)

from inkguard.edit.rows import FlaggedPrompt, flagged_prompts
from inkguard.errors import SubstitutionError
from inkguard.families.base import Adapter, Encoded
from inkguard.families.call_defaults import argument
from inkguard.families.flux.edit import FluxShadow

__all__ = ["FluxAdapter"]


class FluxAdapter(Adapter):
    """`FluxPipeline` and its image-to-image, inpainting, filling and ControlNet variants.

    T5 reads `prompt_2` (`prompt` where that is not given), and its states are the text that sites read.
    CLIP reads `prompt`, of which only the pooled text is used. A flagged row whose T5 text is harmless
    has its word in the pooled text alone: its pooled text is then the donor's, whatever the
    manifest says. With true guidance the negative prompt has a denoiser call of its own.
    """

    edit = FluxShadow
    text_arguments = ("prompt", "prompt_2")
    embedding_arguments = ("prompt_embeds", "pooled_prompt_embeds")
    guidance_argument = "true_cfg_scale"
    processors = frozenset({FluxAttnProcessor, FluxIPAdapterAttnProcessor})

    def flagged(
        self,
        pipe: Any,
        call: Mapping[str, Any],
        rows: Sequence[int],
        donors: Mapping[str, Sequence[str]],
        device: torch.device,
        *,
        swap_pooled: bool,
    ) -> list[FlaggedPrompt]:
        own = self.encode(pipe, call, call, device).states
        donor = self.encode(pipe, call, donors, device)
        _refuse_alike(own, rows, call["prompt"])
        only_pooled = any(torch.equal(own[row], donor.states[row]) for row in rows)
        pooled = donor.pooled if swap_pooled or only_pooled else None
        return flagged_prompts(own, donor.states, rows, pooled=pooled)

    def encode(
        self, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Any], device: torch.device
    ) -> Encoded:
        states, pooled, _ = pipe.encode_prompt(
            prompt=texts["prompt"],
            prompt_2=texts.get("prompt_2"),
            device=device,
            max_sequence_length=argument(pipe, call, "max_sequence_length"),
            lora_scale=(call.get("joint_attention_kwargs") or {}).get("scale"),
        )
        return Encoded(states, pooled)

    def encode_negative(
        self,
        pipe: Any,
        call: Mapping[str, Any],
        texts: Mapping[str, Sequence[str]],
        device: torch.device,
    ) -> torch.Tensor | None:
        # The pipeline reads no second negative prompt without a first one.
        return super().encode_negative(pipe, call, texts, device) if "prompt" in texts else None


def _refuse_alike(own: torch.Tensor, rows: Sequence[int], prompts: Sequence[str]) -> None:
    """Raise SubstitutionError where a flagged row's T5 text is that of a row with another prompt."""
    for row in rows:
        alike = (own == own[row]).flatten(1).all(1).nonzero().flatten().tolist()
        if len({prompts[n] for n in alike}) > 1:
            raise SubstitutionError(
                f"prompt {row} is flagged and reads the same in T5 as another one of the batch "
                f"(a shared prompt_2?), so their rows cannot be told apart: draw them in two calls"
            )
