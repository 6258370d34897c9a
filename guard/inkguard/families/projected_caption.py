"""What the adapters of PixArt and Sana have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from inkguard.edit.encoder_cache import encoded_once
from inkguard.edit.projected_caption import CaptionText
from inkguard.edit.rows import flagged_prompts
from inkguard.errors import InvalidInput, SubstitutionError
from inkguard.families.call_defaults import argument, first_step, pictures_each
from inkguard.families.transformer import TransformerAdapter
from inkguard.manifests.manifest import Manifest

__all__ = ["CaptionAdapter"]


class CaptionAdapter(TransformerAdapter):
    """One caption, lower-cased or cleaned, padded to `max_sequence_length` and masked; nothing pooled."""

    edit = CaptionText
    text_arguments = ("prompt",)
    embedding_arguments = (
        "prompt_embeds",
        "prompt_attention_mask",
        # The pipelines take these only with `prompt_embeds`, and their own error would quote the prompt.
        "negative_prompt_embeds",
        "negative_prompt_attention_mask",
    )

    def read_text(self, pipe: Any, call: Mapping[str, Any], name: str, text: str) -> str:
        """Lower-cased, and with `clean_caption` decoded, stripped of markup and more."""
        cleans = bool(argument(pipe, call, "clean_caption"))
        try:
            return str(pipe._text_preprocessing(text, clean_caption=cleans)[0])
        except Exception:  # the HTML parser has errors of its own, and they quote the text
            raise InvalidInput(
                name, "the pipeline cannot clean its markup: take that out, or clean_caption=False"
            ) from None

    @encoded_once
    def substituted(
        self,
        pipe: Any,
        manifest: Manifest,
        call: Mapping[str, Any],
        rows: Sequence[int],
        donors: Mapping[str, Sequence[str]],
    ) -> CaptionText:
        if manifest.swap_pooled:
            raise SubstitutionError(
                f"the manifest {manifest.name!r} asks for the donor's pooled text, but "
                f"{type(pipe).__name__} has no pooled text: set swap_pooled to false"
            )
        options = self._options(pipe, call)
        own, _ = _encode(pipe, call["prompt"], options)
        donor, masks = _encode(pipe, donors["prompt"], options)
        return CaptionText(
            pipe.transformer,
            manifest.sites,
            flagged_prompts(own, donor, rows, masks=masks),
            unconditional=self._unconditional(pipe, call),
            start_step=first_step(pipe, call, manifest),
            pictures=pictures_each(pipe, call),
        )

    def _options(self, pipe: Any, call: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments of `encode_prompt`, as in the pipeline's own call, without guidance."""
        return {
            "do_classifier_free_guidance": False,
            "device": pipe._execution_device,
            "clean_caption": argument(pipe, call, "clean_caption"),
            "max_sequence_length": argument(pipe, call, "max_sequence_length"),
        }

    def _negative_options(self, pipe: Any, call: Mapping[str, Any]) -> dict[str, Any]:
        return self._options(pipe, call)

    def _unconditional(self, pipe: Any, call: Mapping[str, Any]) -> torch.Tensor | None:
        """Negative prompts' states; as for SD3, the empty negative prompt needs no look."""
        if (argument(pipe, call, "guidance_scale") or 1) <= 1:
            return None
        given = call.get("negative_prompt")
        texts = [given] * len(call["prompt"]) if isinstance(given, str) else given
        if not texts or not any(texts):
            return None
        return _encode(pipe, texts, self._negative_options(pipe, call))[0]


@torch.no_grad()
def _encode(
    pipe: Any, texts: Sequence[str], options: Mapping[str, Any]
) -> tuple[torch.Tensor, torch.Tensor]:
    """States (rows, tokens, width) and mask (rows, tokens), from the batch that the pipeline encodes."""
    states, mask, *_ = pipe.encode_prompt([*texts], **options)
    return states, mask
