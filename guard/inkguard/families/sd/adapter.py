"""The adapter of Stable Diffusion 1 and 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from inkguard.families.base import Encoded
from inkguard.families.unet_adapter import UNetAdapter

__all__ = ["SdAdapter"]


class SdAdapter(UNetAdapter):
    """`StableDiffusionPipeline` and its variants, LCM among them.

    Those are image to image, inpainting, depth, upscaling, ControlNet and T2I-Adapter.
    One CLIP reads `prompt`; there is no pooled text. What CLIP cuts off is checked like the rest.
    """

    declared_arguments = ("prompt_embeds",)

    def encode(
        self, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Any], device: torch.device
    ) -> Encoded:
        return Encoded(_encode(pipe, call, texts["prompt"], device)[0])

    def encode_negative(
        self,
        pipe: Any,
        call: Mapping[str, Any],
        texts: Mapping[str, Sequence[str]],
        device: torch.device,
    ) -> torch.Tensor | None:
        prompts = call["prompt"]
        negative = [*texts["prompt"]]
        if len(negative) == 1:
            negative *= len(prompts)
        return _encode(pipe, call, prompts, device, negative)[1]


def _encode(
    pipe: Any,
    call: Mapping[str, Any],
    texts: Sequence[str],
    device: torch.device,
    negative: list[str] | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Text (rows, tokens, width), and that of the negative prompts, if there are any."""
    states, unwanted = pipe.encode_prompt(
        [*texts],
        device=device,
        num_images_per_prompt=1,
        do_classifier_free_guidance=negative is not None,
        negative_prompt=negative,
        lora_scale=(call.get("cross_attention_kwargs") or {}).get("scale"),
        clip_skip=call.get("clip_skip"),
    )
    return states, unwanted
