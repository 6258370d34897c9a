"""The adapter of Stable Diffusion XL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline
from torch import nn

from guard.generate.arguments import first_step
from guard.generate.sides import MAX_SIDE, check_side
from guard.substitute.cross import CrossText
from guard.substitute.manifest import Manifest
from guard.substitute.rows import FlaggedPrompt
from guard.substitute.sites import cross_attention_sites

__all__ = ["SdxlAdapter"]


class SdxlAdapter:
    """`StableDiffusionXLPipeline`: cross-attention of a U-Net, pooled text beside it."""

    text_arguments = ("prompt", "prompt_2")
    embedding_arguments = ("prompt_embeds", "pooled_prompt_embeds")

    def denoiser(self, pipe: StableDiffusionXLPipeline) -> Any:
        return pipe.unet

    def sites(self, pipe: StableDiffusionXLPipeline) -> list[tuple[str, nn.Module]]:
        return [*cross_attention_sites(pipe.unet)]

    def read_text(self, pipe: Any, call: Mapping[str, Any], name: str, text: str) -> str:
        return text

    def check_size(
        self, pipe: StableDiffusionXLPipeline, width: int | None, height: int | None
    ) -> None:
        check_side("width", width, 8, MAX_SIDE)
        check_side("height", height, 8, MAX_SIDE)

    def substituted(
        self,
        pipe: StableDiffusionXLPipeline,
        manifest: Manifest,
        call: Mapping[str, Any],
        rows: Sequence[int],
        donors: Mapping[str, Sequence[str]],
    ) -> CrossText:
        # As for SD3, the empty negative prompt needs no look.
        negative = any(call.get(k) for k in ("negative_prompt", "negative_prompt_2"))
        guided = call.get("guidance_scale", 5.0) > 1 and negative
        own, _, unconditional = self._encode(pipe, call, call, guided)
        donor, pooled, _ = self._encode(pipe, call, donors, guided=False)
        swap = manifest.swap_pooled
        return CrossText(
            pipe.unet,
            manifest.sites,
            [FlaggedPrompt(own[row], donor[row], pooled[row] if swap else None) for row in rows],
            unconditional=unconditional,
            start_step=first_step(pipe, call, manifest),
        )

    @torch.no_grad()
    def _encode(
        self, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Any], guided: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Text (rows, tokens, width), pooled text, and with `guided` the negative prompts' text."""
        given = {k: call.get(k) for k in ("negative_prompt", "negative_prompt_2", "clip_skip")}
        scale = (call.get("cross_attention_kwargs") or {}).get("scale")
        states, negative, pooled, _ = pipe.encode_prompt(
            **{k: texts.get(k) for k in self.text_arguments},
            **given,
            device=pipe._execution_device,
            do_classifier_free_guidance=guided,
            lora_scale=scale,
        )
        return states, pooled, negative if guided else None
