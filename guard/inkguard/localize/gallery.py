"""The pictures of a run as PNG files: all unpatched ones, and examples of the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from inkguard.localize.patch import NONE, Patch

__all__ = ["Gallery"]


class Gallery:
    """`folder/VARIANT/PAIR.png`, for the first `examples` pairs and, unpatched, for all."""

    def __init__(self, folder: Path, examples: int) -> None:
        self._folder, self.examples = folder, examples

    def save(self, patch: Patch, pair: int, pixels: np.ndarray) -> None:
        """Keep a picture, uint8 (H, W, 3), where it is to be kept. Raises OSError."""
        if patch == NONE or pair < self.examples:
            path = self.path(patch, pair)
            path.parent.mkdir(parents=True, exist_ok=True)
            # Renamed when whole: a killed run leaves no half picture for the next one to read.
            part = path.with_suffix(".part")
            Image.fromarray(pixels).save(part, format="PNG")
            part.replace(path)

    def load(self, patch: Patch, pair: int) -> np.ndarray | None:
        """A picture, uint8 (H, W, 3); None where it was not kept."""
        try:
            with Image.open(self.path(patch, pair)) as image:
                return np.asarray(image.convert("RGB"))
        except (FileNotFoundError, UnidentifiedImageError):
            return None

    def path(self, patch: Patch, pair: int) -> Path:
        """Where a picture is, or would be."""
        return self._folder / patch.slug / f"{pair:04d}.png"
