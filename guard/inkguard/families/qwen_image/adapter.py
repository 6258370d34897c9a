"""The adapter of Qwen-Image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers.models.transformers.transformer_qwenimage import QwenDoubleStreamAttnProcessor2_0

from inkguard.edit.rows import FlaggedPrompt, flagged_prompts
from inkguard.families.base import Adapter, Encoded
from inkguard.families.call_defaults import argument
from inkguard.families.qwen_image.edit import QwenShadow, pad_text

__all__ = ["QwenAdapter"]


class QwenAdapter(Adapter):
    """`QwenImagePipeline` and its image-to-image, inpainting and ControlNet variants.

    A language model reads the prompt inside of a template, whose first tokens are dropped. Texts are as
    long as they are, padded to the longest of their batch, so prompt, donor and negative prompt
    may differ in length. There is no pooled text. With guidance the negative prompt has a
    denoiser call of its own.
    """

    edit = QwenShadow
    in_template = True
    embedding_arguments = ("prompt_embeds", "prompt_embeds_mask")
    guidance_argument = "true_cfg_scale"
    processors = frozenset({QwenDoubleStreamAttnProcessor2_0})

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
        found = self.encode(pipe, call, {"prompt": [donors["prompt"][row] for row in rows]}, device)
        assert found.mask is not None
        # One place for each prompt; that of a harmless one is not looked at.
        donor = found.states.new_zeros(len(own), *found.states.shape[1:])
        mask = found.mask.new_zeros(len(own), found.mask.shape[1])
        donor[[*rows]], mask[[*rows]] = found.states, found.mask
        tokens = max(own.shape[1], donor.shape[1])
        own, donor = pad_text(own, tokens), pad_text(donor, tokens)
        return flagged_prompts(own, donor, rows, masks=pad_text(mask[..., None], tokens)[..., 0])

    def encode(
        self, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Any], device: torch.device
    ) -> Encoded:
        states, mask = pipe.encode_prompt(
            prompt=list(texts["prompt"]),
            device=device,
            max_sequence_length=argument(pipe, call, "max_sequence_length"),
        )
        if mask is None:  # the pipeline drops a mask that hides nothing
            mask = torch.ones(states.shape[:2], dtype=torch.long, device=states.device)
        return Encoded(states, mask=mask)
