"""Drawing pairs with some sites patched, by the guard's own substitution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch

from inkguard.families.registry import adapter_for
from inkguard.localize.patch import Patch, drawing_manifest, text_sites
from inkguard.measure.prompts import Pair
from inkguard.measure.setup import device_memory

__all__ = ["Drawer"]


class Drawer:
    """A pipeline with the arguments of its call.

    `call` are the arguments beside prompt, steps and noise. Raises UnsupportedModel for a pipeline
    or a denoiser that is not known or has no site.
    """

    def __init__(self, pipe: Any, call: Mapping[str, Any], steps: int) -> None:
        self._pipe, self._adapter = pipe, adapter_for(pipe)
        self.denoiser = self._adapter.denoiser(pipe)
        self.sites = text_sites(self.denoiser, self._adapter.sites(pipe))
        self.has_pooled = "pooled_prompt_embeds" in self._adapter.embedding_arguments
        self.steps, self._call = steps, dict(call)

    def draw(self, patch: Patch, pairs: Sequence[Pair]) -> list[np.ndarray]:
        """One picture a pair, uint8 (H, W, 3), in one batch; the same pair has the same noise always.

        Raises MeasureError where the device's memory is too small for the batch.
        """
        prompts, donors = [p.prompt for p in pairs], [p.donor_prompt for p in pairs]
        call = {
            **self._call,
            "prompt": donors if patch.whole else prompts,
            "num_inference_steps": self.steps,
            # On the CPU wherever the model is, so that the noise does not depend on the device.
            "generator": [torch.Generator("cpu").manual_seed(p.seed) for p in pairs],
        }
        edit: Any = nullcontext()
        if patch.sites:
            edit = self._adapter.substituted(
                self._pipe,
                drawing_manifest(patch, self.sites, self._pipe, self.denoiser),
                call,
                range(len(pairs)),
                {"prompt": donors},
            )
        with (
            device_memory(f"give a --batch of fewer than {len(pairs)}, or a smaller --dtype"),
            edit,
        ):
            images = self._pipe(**call).images
        return [np.asarray(image.convert("RGB")) for image in images]
