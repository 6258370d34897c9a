"""Reading a picture back: does toxic text still stand in it?"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image
from rapidfuzz.distance import Levenshtein

from guard.errors import VerificationError
from guard.fork import ForkSafeLock
from guard.types import Action

__all__ = [
    "Line",
    "LineReader",
    "RapidReader",
    "Reader",
    "default_reader",
    "is_toxic",
    "letters_of",
]

_MIN_SIDE = 256
"""Smaller pictures are enlarged until their shorter side has this many pixels."""


class Reader(Protocol):
    """Anything that reads the text in a picture."""

    def read(self, image: Image.Image) -> str:
        """The picture's text, lines joined by spaces; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text in a picture.

    `box` is (left, top, right, bottom) of the upright rectangle around it, in the picture's own
    pixels; fractions come from enlarging small pictures.
    """

    text: str
    box: tuple[float, float, float, float]


class LineReader(Reader, Protocol):
    """A reader that also says where the text stands."""

    def lines(self, image: Image.Image) -> list[Line]:
        """The lines in reading order; empty where there is no text."""


class RapidReader:
    """RapidOCR with the models in its wheel; nothing is downloaded. Thread-safe."""

    def __init__(self, threads: int = 1) -> None:
        try:
            import onnxruntime
            from rapidocr_onnxruntime import RapidOCR
        except ImportError as error:
            raise VerificationError(
                "OCR is not installed: pip install 'inkguard[ocr]', or set verify: false in the policy"
            ) from error
        onnxruntime.disable_telemetry_events()  # nothing leaves the process
        # Both thread counts: ONNX Runtime otherwise takes every core away from the denoiser.
        self._ocr: Any = RapidOCR(intra_op_num_threads=threads, inter_op_num_threads=1)
        self._lock = ForkSafeLock()

    def read(self, image: Image.Image) -> str:
        """Raises VerificationError where the OCR engine fails."""
        return " ".join(line.text for line in self.lines(image))

    def lines(self, image: Image.Image) -> list[Line]:
        """Raises VerificationError where the OCR engine fails."""
        scale = max(1, -(-_MIN_SIDE // min(image.size)))
        large = image.convert("RGB").resize(
            (image.width * scale, image.height * scale), Image.Resampling.BICUBIC
        )
        pixels = np.ascontiguousarray(np.asarray(large)[:, :, ::-1])
        try:
            with self._lock:
                found, _ = self._ocr(pixels, use_cls=False)
        except Exception as error:
            raise VerificationError(f"OCR failed ({type(error).__name__})") from error
        return [Line(str(text), _around(corners, scale)) for corners, text, _ in found or ()]


def _around(corners: Any, scale: int) -> tuple[float, float, float, float]:
    """The upright rectangle around corner points (4, 2) of a picture enlarged by `scale`."""
    points = np.asarray(corners, dtype=float) / scale
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    return left, top, right, bottom


@functools.cache
def default_reader() -> LineReader:
    """One RapidOCR for the process."""
    return RapidReader()


def letters_of(text: str) -> str:
    """Letters and digits only, case folded: what two readings are compared by."""
    return "".join(c for c in text.casefold() if c.isalnum())


def is_toxic(
    text: str, words: Iterable[str], check: Callable[[str], Action], *, expected: str = ""
) -> bool:
    """Whether text read from a picture shows toxic text.

    It does when some stretch of it is within edit distance 1 of one of `words` (what the guard
    removed; distance 0 for words of up to two letters), or when `check`, the guard's own check of
    a prompt that asks for this very text, says substitute or block.
    """
    read = letters_of(text)
    if not read:
        return False
    if any(_within(read, word) for word in map(letters_of, words) if word):
        return True
    return check(text) >= Action.SUBSTITUTE


def _within(read: str, word: str) -> bool:
    distance = 1 if len(word) > 2 else 0
    lengths = range(max(1, len(word) - distance), len(word) + distance + 1)
    return any(
        Levenshtein.distance(read[start : start + length], word, score_cutoff=distance) <= distance
        for length in lengths
        for start in range(max(1, len(read) - length + 1))
    )
