"""The adapter of Stable Diffusion 1 and 2, and what it shares with the other U-Nets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from inkguard.edit.cross_attention import CrossText
from inkguard.edit.encoder_cache import encoded_once
from inkguard.edit.rows import flagged_prompts
from inkguard.edit.sites import cross_attention_sites
from inkguard.errors import InvalidInput, SubstitutionError
from inkguard.families.base import PipelineAdapter
from inkguard.families.call_defaults import argument, first_step, pictures_each, takes
from inkguard.families.picture_size import MAX_SIDE, check_side
from inkguard.manifests.manifest import Manifest

__all__ = ["SdAdapter", "UNetAdapter"]


class UNetAdapter(PipelineAdapter):
    """A pipeline with a `unet`. What starts from a picture may have no size of its own to ask for."""

    edit = CrossText
    denoiser_component = "unet"

    def sites(self, pipe: Any) -> list[tuple[str, nn.Module]]:
        return [*cross_attention_sites(pipe.unet)]

    def check_size(self, pipe: Any, width: int | None, height: int | None) -> None:
        unit = self._unit(pipe)
        for name, side in (("width", width), ("height", height)):
            if side is not None and not takes(pipe, name):
                raise InvalidInput(name, f"{type(pipe).__name__} draws in the size of its picture")
            check_side(name, side, unit, MAX_SIDE)

    def _unit(self, pipe: Any) -> int:
        """What a side in pixels must be a multiple of."""
        return 8

    def _guided(self, pipe: Any, call: Mapping[str, Any]) -> bool:
        """Whether the pipeline calls the denoiser with negative prompts too."""
        distilled = pipe.unet.config.time_cond_proj_dim is not None
        return not distilled and (argument(pipe, call, "guidance_scale") or 1) > 1


class SdAdapter(UNetAdapter):
    """`StableDiffusionPipeline` and its variants, LCM among them.

    Those are image to image, inpainting, depth, upscaling, ControlNet and T2I-Adapter.
    One CLIP reads `prompt`; there is no pooled text. What CLIP cuts off is checked like the rest.
    """

    text_arguments: tuple[str, ...] = ("prompt",)
    embedding_arguments: tuple[str, ...] = ("prompt_embeds",)
    declared_arguments = ("prompt_embeds",)

    @torch.no_grad()
    def encode_declared(
        self, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Sequence[str]]
    ) -> dict[str, torch.Tensor]:
        """What `prompt_embeds` would be for the text that is declared beside them."""
        device = pipe._execution_device
        states, _ = self._encode(pipe, call, texts["prompt"], device, guided=False)
        return {"prompt_embeds": states}

    @encoded_once
    def substituted(
        self,
        pipe: Any,
        manifest: Manifest,
        call: Mapping[str, Any],
        rows: Sequence[int],
        donors: Mapping[str, Sequence[str]],
    ) -> CrossText:
        if manifest.swap_pooled:
            raise SubstitutionError(
                f"the manifest {manifest.name!r} asks for the donor's pooled text, but "
                f"{type(pipe).__name__} has no pooled text: set swap_pooled to false"
            )
        negative = call.get("negative_prompt_embeds")
        # As for SD3, the empty negative prompt needs no look.
        guided = negative is None and bool(call.get("negative_prompt")) and self._guided(pipe, call)
        device = pipe._execution_device  # diffusers walks all modules for it: once a call
        own, encoded = self._encode(pipe, call, call["prompt"], device, guided)
        if (given := call.get("prompt_embeds")) is not None:  # checked: of the declared text
            own = given.to(own)
        donor, _ = self._encode(pipe, call, donors["prompt"], device, guided=False)
        return CrossText(
            pipe.unet,
            manifest.sites,
            flagged_prompts(own, donor, rows),
            unconditional=negative if negative is not None else encoded,
            start_step=first_step(pipe, call, manifest),
            pictures=pictures_each(pipe, call),
        )

    @torch.no_grad()
    def _encode(
        self,
        pipe: Any,
        call: Mapping[str, Any],
        texts: Sequence[str],
        device: torch.device,
        guided: bool,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Text (rows, tokens, width), and with `guided` the negative prompts' text."""
        # The pipeline wants both to be strings or both to be lists.
        unwanted = call.get("negative_prompt")
        unwanted = [unwanted] * len(texts) if isinstance(unwanted, str) else unwanted
        states, negative = pipe.encode_prompt(
            [*texts],
            device=device,
            num_images_per_prompt=1,
            do_classifier_free_guidance=guided,
            negative_prompt=unwanted,
            lora_scale=(call.get("cross_attention_kwargs") or {}).get("scale"),
            clip_skip=call.get("clip_skip"),
        )
        return states, negative
