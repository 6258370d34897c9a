"""The adapter of Qwen-Image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from inkguard.edit.encoder_cache import encoded_once
from inkguard.edit.rows import flagged_prompts
from inkguard.errors import SubstitutionError
from inkguard.families.call_defaults import argument, first_step, pictures_each
from inkguard.families.qwen_image.edit import QwenShadow, pad_text
from inkguard.families.transformer import TransformerAdapter
from inkguard.manifests.manifest import Manifest

__all__ = ["QwenAdapter"]


class QwenAdapter(TransformerAdapter):
    """`QwenImagePipeline` and its image-to-image, inpainting and ControlNet variants.

    A language model reads the prompt inside of a template, whose first tokens are dropped. Texts are as
    long as they are, padded to the longest of their batch, so prompt, donor and negative prompt
    may differ in length. There is no pooled text. With guidance the negative prompt has a
    denoiser call of its own.
    """

    edit = QwenShadow
    in_template = True
    text_arguments = ("prompt",)
    embedding_arguments = ("prompt_embeds", "prompt_embeds_mask")

    @encoded_once
    def substituted(
        self,
        pipe: Any,
        manifest: Manifest,
        call: Mapping[str, Any],
        rows: Sequence[int],
        donors: Mapping[str, Sequence[str]],
    ) -> QwenShadow:
        if manifest.swap_pooled:
            raise SubstitutionError(
                f"the manifest {manifest.name!r} asks for the donor's pooled text, but Qwen-Image has "
                f"no pooled text: set swap_pooled to false"
            )
        own, _ = self._encode(pipe, call, call["prompt"])
        flagged, masks = self._encode(pipe, call, [donors["prompt"][row] for row in rows])
        # One place for each prompt; that of a harmless one is not looked at.
        donor = flagged.new_zeros(len(own), *flagged.shape[1:])
        donor[[*rows]], full = flagged, masks.new_zeros(len(own), masks.shape[1])
        full[[*rows]] = masks
        tokens = max(own.shape[1], donor.shape[1])
        own, donor = pad_text(own, tokens), pad_text(donor, tokens)
        masks = pad_text(full[..., None], tokens)[..., 0]
        negative = self._unconditional(pipe, call)
        return QwenShadow(
            pipe.transformer,
            manifest.sites,
            flagged_prompts(own, donor, rows, masks=masks),
            unconditional=None if negative is None else pad_text(negative, tokens),
            start_step=first_step(pipe, call, manifest),
            pictures=pictures_each(pipe, call),
        )

    @torch.no_grad()
    def _encode(
        self, pipe: Any, call: Mapping[str, Any], texts: Sequence[str]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """States (rows, tokens, width) and mask (rows, tokens), from the batch that is given."""
        states, mask = pipe.encode_prompt(
            prompt=list(texts),
            device=pipe._execution_device,
            max_sequence_length=argument(pipe, call, "max_sequence_length"),
        )
        if mask is None:  # the pipeline drops a mask that hides nothing
            mask = torch.ones(states.shape[:2], dtype=torch.long, device=states.device)
        return states, mask

    def _unconditional(self, pipe: Any, call: Mapping[str, Any]) -> torch.Tensor | None:
        """Negative prompts' states; as for SD3, the empty negative prompt needs no look."""
        if (argument(pipe, call, "true_cfg_scale") or 1) <= 1:
            return None
        given: torch.Tensor | None = call.get("negative_prompt_embeds")
        if given is not None:
            return given
        negative = call.get("negative_prompt")
        texts = [negative] if isinstance(negative, str) else negative
        return self._encode(pipe, call, texts)[0] if texts and any(texts) else None
