"""The adapter of FLUX.1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from inkguard.edit.encoder_cache import encoded_once
from inkguard.edit.rows import flagged_prompts
from inkguard.errors import SubstitutionError
from inkguard.families.call_defaults import argument, first_step, pictures_each
from inkguard.families.flux.edit import FluxShadow
from inkguard.families.transformer import TransformerAdapter
from inkguard.manifests.manifest import Manifest

__all__ = ["FluxAdapter"]


class FluxAdapter(TransformerAdapter):
    """`FluxPipeline` and its image-to-image, inpainting, filling and ControlNet variants.

    T5 reads `prompt_2` (`prompt` where that is not given), and its states are the text that sites read.
    CLIP reads `prompt`, of which only the pooled text is used. A flagged row whose T5 text is harmless
    has its word in the pooled text alone: its pooled text is then the donor's, whatever the
    manifest says. With true guidance the negative prompt has a denoiser call of its own.
    """

    edit = FluxShadow
    text_arguments = ("prompt", "prompt_2")
    embedding_arguments = ("prompt_embeds", "pooled_prompt_embeds")

    @encoded_once
    def substituted(
        self,
        pipe: Any,
        manifest: Manifest,
        call: Mapping[str, Any],
        rows: Sequence[int],
        donors: Mapping[str, Sequence[str]],
    ) -> FluxShadow:
        own, _ = self._encode(pipe, call, call)
        donor, pooled = self._encode(pipe, call, donors)
        _refuse_alike(own, rows, call["prompt"])
        only_pooled = any(torch.equal(own[row], donor[row]) for row in rows)
        swap = manifest.swap_pooled or only_pooled
        return FluxShadow(
            pipe.transformer,
            manifest.sites,
            flagged_prompts(own, donor, rows, pooled=pooled if swap else None),
            unconditional=self._unconditional(pipe, call),
            start_step=first_step(pipe, call, manifest),
            pictures=pictures_each(pipe, call),
        )

    @torch.no_grad()
    def _encode(
        self, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Any], prefix: str = ""
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """T5's states (rows, tokens, width) and CLIP's pooled text, from the pipeline's own batch."""
        states, pooled, _ = pipe.encode_prompt(
            prompt=texts[f"{prefix}prompt"],
            prompt_2=texts.get(f"{prefix}prompt_2"),
            device=pipe._execution_device,
            max_sequence_length=argument(pipe, call, "max_sequence_length"),
            lora_scale=(call.get("joint_attention_kwargs") or {}).get("scale"),
        )
        return states, pooled

    def _unconditional(self, pipe: Any, call: Mapping[str, Any]) -> torch.Tensor | None:
        """Negative prompts' states; as for SD3, the empty negative prompt needs no look."""
        if (argument(pipe, call, "true_cfg_scale") or 1) <= 1:
            return None
        given: torch.Tensor | None = call.get("negative_prompt_embeds")
        if given is not None:
            return given
        if call.get("negative_prompt") is None:
            return None
        if not any(call.get(name) for name in ("negative_prompt", "negative_prompt_2")):
            return None
        return self._encode(pipe, call, call, "negative_")[0]


def _refuse_alike(own: torch.Tensor, rows: Sequence[int], prompts: Sequence[str]) -> None:
    """Raise SubstitutionError where a flagged row's T5 text is that of a row with another prompt."""
    for row in rows:
        alike = (own == own[row]).flatten(1).all(1).nonzero().flatten().tolist()
        if len({prompts[n] for n in alike}) > 1:
            raise SubstitutionError(
                f"prompt {row} is flagged and reads the same in T5 as another one of the batch "
                f"(a shared prompt_2?), so their rows cannot be told apart: draw them in two calls"
            )
