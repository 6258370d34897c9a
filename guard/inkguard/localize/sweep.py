"""Draws all pairs with a patch, scores the pictures and notes the scores."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from inkguard.frozen import freeze
from inkguard.localize.draw import Drawer
from inkguard.localize.gallery import Gallery
from inkguard.localize.patch import NONE, Patch
from inkguard.measure.journal import Journal
from inkguard.measure.pictures import kept
from inkguard.measure.progress import ProgressReporter
from inkguard.measure.prompts import Pair
from inkguard.measure.region import boxes_region, sign_region
from inkguard.measure.text import characters_f1, exact, similarity
from inkguard.verify import LineReader

__all__ = ["Sweep", "SweepScore"]


@dataclass(frozen=True, slots=True)
class SweepScore:
    """Means over the pictures drawn with a patch.

    `donor_*` and `source_*` (f1, exact, similarity) say how well the donor's and the prompt's own
    text are read; mse, ssim, psnr, also `_inside` and `_outside` of the text region, compare with
    the unpatched picture. NaN where no picture has a value.
    """

    means: Mapping[str, float]
    pictures: int

    def __post_init__(self) -> None:
        freeze(self)

    def __getitem__(self, name: str) -> float:
        return self.means.get(name, math.nan)

    @property
    def change(self) -> float:
        """Mean squared error outside of the text region, or of the whole where that is nowhere."""
        outside = self["mse_outside"]
        return self["mse"] if math.isnan(outside) else outside


class Sweep:
    """Measures patches: draws each pair with each of them, once for ever.

    The text region is the sign's box where a pair has a scene; else the OCR boxes of the unpatched
    and of the patched picture, widened (`boxes_region`).
    """

    def __init__(
        self,
        drawer: Drawer,
        pairs: Sequence[Pair],
        *,
        reader: LineReader,
        journal: Journal,
        gallery: Gallery,
        progress: ProgressReporter,
        batch: int,
    ) -> None:
        self.drawer, self.pairs, self.gallery = drawer, list(pairs), gallery
        self._reader, self._journal, self._progress = reader, journal, progress
        self._batch = batch
        self._plain: list[np.ndarray] = []
        self._plain_regions: list[np.ndarray] = []

    def missing(self, patches: Iterable[Patch]) -> int:
        """How many pictures are still to be drawn for some patches."""
        return sum(len(self._left(v)) for v in patches)

    def measure(self, patch: Patch) -> SweepScore:
        """Draw and score what is not yet in the journal; the score of all pairs.

        Raises MeasureError where a result cannot be written, SubstitutionError where patching did
        not do what it should.
        """
        if not self._plain:
            self._prepare()
        self._progress.begin(patch.key)
        left = self._left(patch)
        for numbers in self._batches(left):
            self._run(patch, numbers, left)
        score = self.score(patch)
        if left:
            self._progress.done(
                f"sites {patch.key}: donor {score['donor_similarity']:.3f}, "
                f"source {score['source_similarity']:.3f}"
            )
        return score

    def score(self, patch: Patch, equal_length: bool | None = None) -> SweepScore:
        """The means of what was measured, of all pairs or of those with texts of (un)equal length."""
        rows = [
            self._journal.rows[patch.key, n]
            for n, pair in enumerate(self.pairs)
            if equal_length is None or pair.equal_length == equal_length
        ]
        names = [k for k in rows[0] if k not in ("variant", "pair", "read")] if rows else []
        return SweepScore({name: _mean(row[name] for row in rows) for name in names}, len(rows))

    def plain(self, pair: int) -> np.ndarray:
        """A pair's unpatched picture, uint8 (H, W, 3)."""
        return self._plain[pair]

    def read(self, patch: Patch, pair: int) -> str:
        """What OCR read in a picture."""
        return str(self._journal.rows[patch.key, pair]["read"])

    def _left(self, patch: Patch) -> list[int]:
        return [n for n in range(len(self.pairs)) if (patch.key, n) not in self._journal.rows]

    def _prepare(self) -> None:
        """Have every pair's unpatched picture, from its file or drawn again."""
        self._progress.begin("unpatched pictures")
        kept_before = [self.gallery.load(NONE, n) for n in range(len(self.pairs))]
        absent = [n for n, image in enumerate(kept_before) if image is None]
        drawn: dict[int, np.ndarray] = {}
        for numbers in self._batches(absent):
            began = time.monotonic()
            images = self.drawer.draw(NONE, [self.pairs[n] for n in numbers])
            if not drawn:
                each = (time.monotonic() - began) / len(numbers)
                began = time.monotonic()
                self._reader.lines(Image.fromarray(images[0]))
                self._progress.speed(each + time.monotonic() - began)
            for n, image in zip(numbers, images, strict=True):
                drawn[n] = image
                self.gallery.save(NONE, n, image)
        self._plain = [drawn[n] if i is None else i for n, i in enumerate(kept_before)]
        self._plain_regions = [self._find_region(n) for n in range(len(self.pairs))]

    def _batches(self, wanted: Sequence[int]) -> list[range]:
        """The batches that hold a wanted pair, whole: rounding depends on a batch's other rows."""
        count = len(self.pairs)
        batches = [range(n, min(n + self._batch, count)) for n in range(0, count, self._batch)]
        return [b for b in batches if any(n in b for n in wanted)]

    def _run(self, patch: Patch, numbers: Sequence[int], left: Sequence[int]) -> None:
        if patch == NONE:
            images = [self._plain[n] for n in numbers]
        else:
            images = self.drawer.draw(patch, [self.pairs[n] for n in numbers])
        rows = []
        for n, image in zip(numbers, images, strict=True):
            if n not in left:
                continue
            self.gallery.save(patch, n, image)
            rows.append({"variant": patch.key, "pair": n, **self._measure(n, image)})
            self._progress.advance()
        self._journal.append(rows)

    def _measure(self, number: int, image: np.ndarray) -> dict[str, Any]:
        pair = self.pairs[number]
        lines = self._reader.lines(Image.fromarray(image))
        read = " ".join(line.text for line in lines)
        region = self._plain_regions[number]
        if pair.scene is None:
            region = region | boxes_region([x.box for x in lines], region.shape)
        row: dict[str, Any] = {"read": read}
        for name, text in (("donor", pair.donor), ("source", pair.word)):
            row[f"{name}_f1"] = round(characters_f1(read, text), 6)
            row[f"{name}_exact"] = exact(read, text)
            row[f"{name}_similarity"] = round(similarity(read, text), 6)
        for name, value in kept(image, self._plain[number], region).items():
            row[name] = None if math.isnan(value) else round(value, 8)
        return row

    def _find_region(self, number: int) -> np.ndarray:
        pixels, scene = self._plain[number], self.pairs[number].scene
        if scene is not None:
            return sign_region(pixels, scene.sign)
        lines = self._reader.lines(Image.fromarray(pixels))
        return boxes_region([x.box for x in lines], pixels.shape[:2])


def _mean(values: Iterable[float | None]) -> float:
    known = [float(v) for v in values if v is not None]
    return sum(known) / len(known) if known else math.nan
