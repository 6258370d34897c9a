"""RapidOCR: PaddleOCR's text detectors and recognisers under ONNX Runtime.

The models are files of the wheels. Nothing is downloaded, and nothing leaves the process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from inkguard.errors import VerificationError
from inkguard.fork import ForkSafeLock
from inkguard.verify.picture import enlarged
from inkguard.verify.reader import Line

__all__ = ["RapidReader", "RapidReaderV6"]


class _Paddle:
    """What both versions have in common. Thread-safe: one picture is read at a time."""

    def __init__(self) -> None:
        self._lock = ForkSafeLock()

    def read(self, image: Image.Image) -> str:
        """Raises VerificationError where the OCR engine fails."""
        return " ".join(line.text for line in self.lines(image))

    def lines(self, image: Image.Image) -> list[Line]:
        """Raises VerificationError where the OCR engine fails."""
        large, scale = enlarged(image)
        pixels = np.ascontiguousarray(np.asarray(large)[:, :, ::-1])
        try:
            with self._lock:
                found = self._found(pixels)
        except Exception as error:
            raise VerificationError(f"OCR failed ({type(error).__name__})") from error
        return [Line(text, _around(corners, scale)) for corners, text in found]

    def _found(self, pixels: np.ndarray) -> list[tuple[Any, str]]:
        """Corner points (4, 2) and text of each line in BGR pixels (H, W, 3)."""
        raise NotImplementedError


class RapidReader(_Paddle):
    """PP-OCRv4 as `rapidocr-onnxruntime` ships it.

    `longest` is the most pixels that the text detector gets on the longer side of a picture; the letters
    that it finds are then read from the picture's own pixels. None leaves the wheel's setting, which
    enlarges pictures whose shorter side has fewer than 736. `turned` also turns lines around that stand
    on their heads. As it is made without arguments, it is the engine of all published measurements.
    """

    def __init__(
        self, threads: int = 1, longest: int | None = None, *, turned: bool = False
    ) -> None:
        super().__init__()
        self._turned = turned
        try:
            import onnxruntime
            from rapidocr_onnxruntime import RapidOCR
        except ImportError as error:
            raise _missing("rapidocr-onnxruntime") from error
        onnxruntime.disable_telemetry_events()  # nothing leaves the process
        # Both thread counts: ONNX Runtime otherwise takes every core away from the denoiser.
        self._ocr: Any = RapidOCR(intra_op_num_threads=threads, inter_op_num_threads=1)
        if longest is not None:
            from rapidocr_onnxruntime.ch_ppocr_det.utils import DetPreProcess

            # Its own option for this has a least value of 960.
            detector = self._ocr.text_det
            limited = DetPreProcess(longest, "max", detector.mean, detector.std)
            detector.get_preprocess = lambda _: limited

    def _found(self, pixels: np.ndarray) -> list[tuple[Any, str]]:
        found, _ = self._ocr(pixels, use_cls=self._turned)
        return [(corners, str(text)) for corners, text, _ in found or ()]


class RapidReaderV6(_Paddle):
    """PP-OCRv6 (small) as `rapidocr` ships it; `longest` as for `RapidReader`."""

    def __init__(self, threads: int = 1, longest: int = 480) -> None:
        super().__init__()
        try:
            import onnxruntime
            import rapidocr
        except ImportError as error:
            raise _missing("rapidocr") from error
        onnxruntime.disable_telemetry_events()  # nothing leaves the process
        models = Path(rapidocr.__file__).parent / "models"
        detector, recogniser = (
            models / "PP-OCRv6_det_small.onnx",
            models / "PP-OCRv6_rec_small.onnx",
        )
        for file in (detector, recogniser):
            # Without a path, or with another version's wheel, the package would download the model.
            if not file.is_file():
                raise VerificationError(
                    f"the installed rapidocr has no {file.name}: pip install 'inkguard[ocr]'"
                )
        engine = "EngineConfig.onnxruntime."
        self._ocr: Any = rapidocr.RapidOCR(
            params={
                "Global.log_level": "error",
                "Global.use_cls": False,
                "Det.model_path": str(detector),
                "Det.limit_type": "max",
                "Det.limit_side_len": longest,
                "Rec.model_path": str(recogniser),
                engine + "intra_op_num_threads": threads,
                engine + "inter_op_num_threads": 1,
            }
        )

    def _found(self, pixels: np.ndarray) -> list[tuple[Any, str]]:
        found = self._ocr(pixels)
        texts = getattr(found, "txts", None)
        return list(zip(found.boxes, map(str, texts), strict=True)) if texts else []


def _missing(package: str) -> VerificationError:
    return VerificationError(
        f"OCR is not installed ({package} is missing): pip install 'inkguard[ocr]', "
        "or set verify: false in the policy"
    )


def _around(corners: Any, scale: int) -> tuple[float, float, float, float]:
    """The upright rectangle around corner points (4, 2) of a picture enlarged by `scale`."""
    points = np.asarray(corners, dtype=float) / scale
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    return left, top, right, bottom
