"""The adapter of DeepFloyd IF."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from inkguard.families.base import Encoded
from inkguard.families.call_defaults import argument
from inkguard.families.unet_adapter import UNetAdapter

__all__ = ["IfAdapter"]


class IfAdapter(UNetAdapter):
    """IF's first stage and its super-resolution: U-Nets on pixels that have T5's text as added keys.

    T5 is given the padding's mask and the U-Net is not, so donors need none. The U-Net pools the text
    itself; that stays the prompt's own. Safety checker and watermarker are left as they are.
    """

    cleans_captions = True
    token_limit = 77

    def unit(self, pipe: Any) -> int:
        # IF's blocks double the size whatever the other side of the skip has: a rest would not fit.
        return int(2**pipe.unet.num_upsamplers)

    def encode(
        self, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Any], device: torch.device
    ) -> Encoded:
        return Encoded(
            pipe.encode_prompt(
                list(texts["prompt"]),
                do_classifier_free_guidance=False,
                device=device,
                clean_caption=bool(argument(pipe, call, "clean_caption")),
            )[0]
        )
