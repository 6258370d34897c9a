"""The adapter of Stable Diffusion 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from inkguard.families.base import Adapter, Encoded
from inkguard.families.sd3.edit import Sd3Shadow

__all__ = ["Sd3Adapter"]


class Sd3Adapter(Adapter):
    """`StableDiffusion3Pipeline` and its image-to-image, inpainting and ControlNet variants.

    Joint attention, edited by the shadow text stream. Two CLIPs and T5 read the three prompts.
    """

    edit = Sd3Shadow
    text_arguments = ("prompt", "prompt_2", "prompt_3")
    embedding_arguments = ("prompt_embeds", "pooled_prompt_embeds")

    def unit(self, pipe: Any) -> int:
        return int(pipe.vae_scale_factor * pipe.transformer.config.patch_size)

    def longest_side(self, pipe: Any) -> int:
        most = pipe.transformer.config.pos_embed_max_size
        unit = self.unit(pipe)
        return unit * int(most or super().longest_side(pipe) // unit)

    def encode(
        self, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Any], device: torch.device
    ) -> Encoded:
        states, _, pooled, _ = self._encode(pipe, call, texts, device, {})
        return Encoded(states, pooled)

    def encode_negative(
        self,
        pipe: Any,
        call: Mapping[str, Any],
        texts: Mapping[str, Sequence[str]],
        device: torch.device,
    ) -> torch.Tensor:
        names = [f"negative_{name}" for name in self.text_arguments]
        negative = {k: call[k] for k in names if call.get(k)}
        states: torch.Tensor = self._encode(pipe, call, call, device, negative)[1]
        return states

    def _encode(
        self,
        pipe: Any,
        call: Mapping[str, Any],
        texts: Mapping[str, Any],
        device: torch.device,
        negative: Mapping[str, Any],
    ) -> Any:
        """Joint states, the negative prompts' joint states, pooled text, and the negative prompts' pooled text."""
        options = {k: call.get(k) for k in ("max_sequence_length", "clip_skip")}
        options["lora_scale"] = (call.get("joint_attention_kwargs") or {}).get("scale")
        return pipe.encode_prompt(
            **{k: texts.get(k) for k in self.text_arguments},
            **negative,
            device=device,
            do_classifier_free_guidance=bool(negative),
            **{k: v for k, v in options.items() if v is not None},
        )
