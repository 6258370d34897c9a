"""What PixArt and Sana have in common: one caption, which the denoiser projects before its blocks."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from inkguard.edit.projected_caption import CaptionText
from inkguard.families.base import Adapter, Encoded
from inkguard.families.call_defaults import argument

__all__ = ["CaptionAdapter"]


class CaptionAdapter(Adapter):
    """One caption, lower-cased or cleaned, padded to `max_sequence_length` and masked; nothing pooled."""

    edit = CaptionText
    cleans_captions = True
    embedding_arguments = (
        "prompt_embeds",
        "prompt_attention_mask",
        # The pipelines take these only with `prompt_embeds`, and their own error would quote the prompt.
        "negative_prompt_embeds",
        "negative_prompt_attention_mask",
    )

    def encode(
        self, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Any], device: torch.device
    ) -> Encoded:
        return _encode(pipe, call, texts["prompt"], device)

    def encode_negative(
        self,
        pipe: Any,
        call: Mapping[str, Any],
        texts: Mapping[str, Sequence[str]],
        device: torch.device,
    ) -> torch.Tensor:
        negative = [*texts["prompt"]]
        if len(negative) == 1:
            negative *= len(call["prompt"])
        # Sana reads the negative prompt without an instruction.
        bare = {**call, "complex_human_instruction": None}
        return _encode(pipe, bare, negative, device).states


def _encode(
    pipe: Any, call: Mapping[str, Any], texts: Sequence[str], device: torch.device
) -> Encoded:
    """States and mask, from the batch that the pipeline encodes."""
    options = {
        "do_classifier_free_guidance": False,  # SANA-Sprint has none
        "device": device,
        "clean_caption": argument(pipe, call, "clean_caption"),
        "max_sequence_length": argument(pipe, call, "max_sequence_length"),
        # Sana alone has these two.
        "complex_human_instruction": argument(pipe, call, "complex_human_instruction"),
        "lora_scale": (call.get("attention_kwargs") or {}).get("scale"),
    }
    known = inspect.signature(type(pipe).encode_prompt).parameters
    states, mask, *_ = pipe.encode_prompt(
        [*texts], **{k: v for k, v in options.items() if k in known}
    )
    return Encoded(states, mask=mask)
