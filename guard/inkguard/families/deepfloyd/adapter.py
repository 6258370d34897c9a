"""The adapter of DeepFloyd IF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from inkguard.edit.cross_attention import CrossText
from inkguard.edit.encoder_cache import encoded_once
from inkguard.edit.rows import flagged_prompts
from inkguard.errors import InvalidInput, SubstitutionError
from inkguard.families.call_defaults import argument, first_step, pictures_each
from inkguard.families.sd.adapter import UNetAdapter
from inkguard.manifests.manifest import Manifest

__all__ = ["IfAdapter"]


class IfAdapter(UNetAdapter):
    """IF's first stage and its super-resolution: U-Nets on pixels that have T5's text as added keys.

    T5 is given the padding's mask and the U-Net is not, so donors need none. The U-Net pools the text
    itself; that stays the prompt's own. Safety checker and watermarker are left as they are.
    """

    text_arguments = ("prompt",)
    embedding_arguments = ("prompt_embeds",)

    def read_text(self, pipe: Any, call: Mapping[str, Any], name: str, text: str) -> str:
        """Lower-cased, and with `clean_caption` (the default) decoded, stripped of markup and more."""
        try:
            return str(pipe._text_preprocessing(text, clean_caption=_cleans(pipe, call))[0])
        except Exception:  # the HTML parser has errors of its own, and they quote the text
            raise InvalidInput(
                name, "the pipeline cannot clean its markup: take that out, or clean_caption=False"
            ) from None

    def _unit(self, pipe: Any) -> int:
        # IF's blocks double the size whatever the other side of the skip has: a rest would not fit.
        return int(2**pipe.unet.num_upsamplers)

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
                f"the manifest {manifest.name!r} asks for the donor's pooled text, but IF pools text "
                f"inside of its U-Net: set swap_pooled to false"
            )
        own = self._encode(pipe, call, call["prompt"])
        donor = self._encode(pipe, call, donors["prompt"])
        return CrossText(
            pipe.unet,
            manifest.sites,
            flagged_prompts(own, donor, rows),
            unconditional=self._unconditional(pipe, call),
            start_step=first_step(pipe, call, manifest),
            pictures=pictures_each(pipe, call),
        )

    @torch.no_grad()
    def _encode(self, pipe: Any, call: Mapping[str, Any], texts: Sequence[str]) -> torch.Tensor:
        """T5's states (rows, 77, width), from the batch that the pipeline will encode."""
        states: torch.Tensor = pipe.encode_prompt(
            list(texts),
            do_classifier_free_guidance=False,
            device=pipe._execution_device,
            clean_caption=_cleans(pipe, call),
        )[0]
        return states

    def _unconditional(self, pipe: Any, call: Mapping[str, Any]) -> torch.Tensor | None:
        """Negative prompts' states; as for SD3, the empty negative prompt needs no look."""
        if not self._guided(pipe, call):
            return None
        given: torch.Tensor | None = call.get("negative_prompt_embeds")
        if given is not None:
            return given
        negative = call.get("negative_prompt")
        texts = [negative] if isinstance(negative, str) else negative
        return self._encode(pipe, call, texts) if texts and any(texts) else None


def _cleans(pipe: Any, call: Mapping[str, Any]) -> bool:
    return bool(argument(pipe, call, "clean_caption"))
