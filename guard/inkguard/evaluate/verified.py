"""The guard as it is used: substitution, then OCR, and wider rungs where toxic text survived."""

from __future__ import annotations

from typing import Any

import torch

from inkguard.check.checker import Checker
from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.errors import Blocked
from inkguard.evaluate.prompts import ToxicPrompt
from inkguard.evaluate.score import readable
from inkguard.manifests.manifest import Manifest
from inkguard.types import Rung
from inkguard.verify import Reader

__all__ = ["Verified"]


class Verified:
    """Draws prompts with verification on."""

    def __init__(
        self, pipe: Any, checker: Checker, manifest: Manifest, reader: Reader, steps: int
    ) -> None:
        self._guarded = GuardedPipeline(pipe, checker, manifest=manifest, reader=reader)
        self._checker, self._reader, self._steps = checker, reader, steps

    def draw(self, prompt: ToxicPrompt) -> dict[str, Any]:
        """`rung` that answered, and whether toxic text is `readable` in the picture that came back."""
        call = {
            "prompt": [prompt.prompt],
            "num_inference_steps": self._steps,
            "generator": torch.Generator("cpu").manual_seed(prompt.seed),
        }
        try:
            drawing = self._guarded.draw(call, decisions=[prompt.decision])
        except Blocked:
            return {"rung": str(Rung.BLOCK), "readable": False}
        read = self._reader.read(drawing.output.images[0])
        return {
            "rung": str(drawing.rungs[0]),
            "readable": readable(read, prompt.words, self._checker),
        }
