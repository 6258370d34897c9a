"""The adapter of Stable Diffusion XL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from inkguard.edit.cross_attention import CrossText
from inkguard.edit.encoder_cache import encoded_once
from inkguard.edit.rows import flagged_prompts
from inkguard.families.call_defaults import first_step, pictures_each
from inkguard.families.sd.adapter import UNetAdapter
from inkguard.manifests.manifest import Manifest

__all__ = ["SdxlAdapter"]


class SdxlAdapter(UNetAdapter):
    """`StableDiffusionXLPipeline`, its image-to-image, inpainting, ControlNet and T2I-Adapter variants.

    Two CLIPs read `prompt` and `prompt_2` (`prompt` where that is not given); the second one's pooled
    text goes beside the U-Net's cross-attention.
    """

    text_arguments = ("prompt", "prompt_2")
    embedding_arguments = ("prompt_embeds", "pooled_prompt_embeds")
    declared_arguments = ("prompt_embeds", "pooled_prompt_embeds")

    @torch.no_grad()
    def encode_declared(
        self, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Sequence[str]]
    ) -> dict[str, torch.Tensor]:
        """What the two arguments would be for the text that is declared beside them."""
        device = pipe._execution_device
        states, pooled, _ = self._encode(pipe, call, texts, device, guided=False)
        return {"prompt_embeds": states, "pooled_prompt_embeds": pooled}

    @encoded_once
    def substituted(
        self,
        pipe: Any,
        manifest: Manifest,
        call: Mapping[str, Any],
        rows: Sequence[int],
        donors: Mapping[str, Sequence[str]],
    ) -> CrossText:
        negative = call.get("negative_prompt_embeds")
        # As for SD3, the empty negative prompt needs no look.
        named = any(call.get(k) for k in ("negative_prompt", "negative_prompt_2"))
        guided = negative is None and named and self._guided(pipe, call)
        device = pipe._execution_device  # diffusers walks all modules for it: once a call
        own, _, encoded = self._encode(pipe, call, call, device, guided)
        if (given := call.get("prompt_embeds")) is not None:  # checked: of the declared text
            own = given.to(own)
        donor, pooled, _ = self._encode(pipe, call, donors, device, guided=False)
        return CrossText(
            pipe.unet,
            manifest.sites,
            flagged_prompts(own, donor, rows, pooled=pooled if manifest.swap_pooled else None),
            unconditional=negative if negative is not None else encoded,
            start_step=first_step(pipe, call, manifest),
            pictures=pictures_each(pipe, call),
        )

    @torch.no_grad()
    def _encode(
        self,
        pipe: Any,
        call: Mapping[str, Any],
        texts: Mapping[str, Any],
        device: torch.device,
        guided: bool,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Text (rows, tokens, width), pooled text, and with `guided` the negative prompts' text."""
        given = {k: call.get(k) for k in ("negative_prompt", "negative_prompt_2", "clip_skip")}
        scale = (call.get("cross_attention_kwargs") or {}).get("scale")
        states, negative, pooled, _ = pipe.encode_prompt(
            **{k: texts.get(k) for k in self.text_arguments},
            **given,
            device=device,
            do_classifier_free_guidance=guided,
            lora_scale=scale,
        )
        return states, pooled, negative if guided else None
