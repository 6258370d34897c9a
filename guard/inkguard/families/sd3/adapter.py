"""The adapter of Stable Diffusion 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from inkguard.edit.encoder_cache import encoded_once
from inkguard.edit.rows import flagged_prompts
from inkguard.families.call_defaults import argument, first_step, pictures_each
from inkguard.families.picture_size import MAX_SIDE, check_side
from inkguard.families.sd3.edit import ShadowText
from inkguard.families.transformer import TransformerAdapter
from inkguard.manifests.manifest import Manifest

__all__ = ["Sd3Adapter"]


class Sd3Adapter(TransformerAdapter):
    """`StableDiffusion3Pipeline` and its image-to-image, inpainting and ControlNet variants.

    Joint attention, edited by the shadow text stream. Two CLIPs and T5 read the three prompts.
    """

    edit = ShadowText
    text_arguments = ("prompt", "prompt_2", "prompt_3")
    embedding_arguments = ("prompt_embeds", "pooled_prompt_embeds")

    def check_size(self, pipe: Any, width: int | None, height: int | None) -> None:
        config = pipe.transformer.config
        unit = pipe.vae_scale_factor * config.patch_size
        most = unit * (config.pos_embed_max_size or MAX_SIDE // unit)
        check_side("width", width, unit, most)
        check_side("height", height, unit, most)

    @encoded_once
    def substituted(
        self,
        pipe: Any,
        manifest: Manifest,
        call: Mapping[str, Any],
        rows: Sequence[int],
        donors: Mapping[str, Sequence[str]],
    ) -> ShadowText:
        own, _ = self._encode(pipe, call, {k: call.get(k) for k in self.text_arguments})
        donor, pooled = self._encode(pipe, call, {k: donors.get(k) for k in self.text_arguments})
        return ShadowText(
            pipe.transformer,
            manifest.sites,
            flagged_prompts(own, donor, rows, pooled=pooled if manifest.swap_pooled else None),
            unconditional=self._unconditional(pipe, call, len(own)),
            start_step=first_step(pipe, call, manifest),
            pictures=pictures_each(pipe, call),
        )

    @staticmethod
    def _options(pipe: Any, call: Mapping[str, Any]) -> dict[str, Any]:
        options: dict[str, Any] = {"device": pipe._execution_device}
        for key in ("max_sequence_length", "clip_skip"):
            if call.get(key) is not None:
                options[key] = call[key]
        scale = (call.get("joint_attention_kwargs") or {}).get("scale")
        return options | ({"lora_scale": scale} if scale is not None else {})

    @torch.no_grad()
    def _encode(
        self, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Any]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Joint (rows, tokens, width) and pooled states, from the batch that the pipeline will encode."""
        states, _, pooled, _ = pipe.encode_prompt(
            **texts, do_classifier_free_guidance=False, **self._options(pipe, call)
        )
        return states, pooled

    @torch.no_grad()
    def _unconditional(self, pipe: Any, call: Mapping[str, Any], count: int) -> torch.Tensor | None:
        """Negative prompts' joint states, as in the pipeline's own call; None where none are given.

        The empty negative prompt needs no look: a flagged prompt has text, so it encodes to
        something else, and encoding both again is a third of what substitution costs a tiny model.
        """
        names = ("negative_prompt", "negative_prompt_2", "negative_prompt_3")
        negative = {k: call[k] for k in names if call.get(k)}
        guided = argument(pipe, call, "guidance_scale") > 1
        if not guided or not (negative or call.get("negative_prompt_embeds") is not None):
            return None
        given: torch.Tensor | None = call.get("negative_prompt_embeds")
        if given is not None:
            return given
        prompts = {k: call.get(k) for k in self.text_arguments}
        states: torch.Tensor = pipe.encode_prompt(
            **prompts, **negative, do_classifier_free_guidance=True, **self._options(pipe, call)
        )[1]
        return states
