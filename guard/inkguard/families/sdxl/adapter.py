"""The adapter of Stable Diffusion XL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from inkguard.families.base import Encoded
from inkguard.families.unet_adapter import UNetAdapter

__all__ = ["SdxlAdapter"]


class SdxlAdapter(UNetAdapter):
    """`StableDiffusionXLPipeline`, its image-to-image, inpainting, ControlNet and T2I-Adapter variants.

    Two CLIPs read `prompt` and `prompt_2` (`prompt` where that is not given); the second one's pooled
    text goes beside the U-Net's cross-attention.
    """

    text_arguments = ("prompt", "prompt_2")
    embedding_arguments = ("prompt_embeds", "pooled_prompt_embeds")
    declared_arguments = ("prompt_embeds", "pooled_prompt_embeds")

    def encode(
        self, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Any], device: torch.device
    ) -> Encoded:
        states, _, pooled, _ = self._encode(pipe, call, texts, device, guided=False)
        return Encoded(states, pooled)

    def encode_negative(
        self,
        pipe: Any,
        call: Mapping[str, Any],
        texts: Mapping[str, Sequence[str]],
        device: torch.device,
    ) -> torch.Tensor:
        states: torch.Tensor = self._encode(pipe, call, call, device, guided=True)[1]
        return states

    def _encode(
        self,
        pipe: Any,
        call: Mapping[str, Any],
        texts: Mapping[str, Any],
        device: torch.device,
        *,
        guided: bool,
    ) -> Any:
        """States, the negative prompts' states, pooled text, and the negative prompts' pooled text."""
        return pipe.encode_prompt(
            **{k: texts.get(k) for k in self.text_arguments},
            **{k: call.get(k) for k in ("negative_prompt", "negative_prompt_2", "clip_skip")},
            device=device,
            do_classifier_free_guidance=guided,
            lora_scale=(call.get("cross_attention_kwargs") or {}).get("scale"),
        )
