"""Tesseract: an OCR engine of another lineage, run as the program that distributions package."""

from __future__ import annotations

import io
import os
import shutil
import subprocess

from PIL import Image

from inkguard.errors import VerificationError
from inkguard.verify.picture import enlarged

__all__ = ["TesseractReader"]

_SECONDS = 60
"""A picture that takes longer is an error: the slowest of bench/ocr.py's took 2 seconds."""


class TesseractReader:
    """The `tesseract` program with its English model. Thread-safe: each picture is a process.

    `page` is Tesseract's page segmentation mode. With 3, the program's own, it reads no text in pictures
    that have none (docs/results/ocr.md); 6 and 11 do in 19 and 9 of 60.
    """

    def __init__(self, page: int = 3) -> None:
        program = shutil.which("tesseract")
        if program is None:
            raise VerificationError(
                "Tesseract is not installed: apt-get install tesseract-ocr, "
                "or do not ask for it (verify: all in the policy does)"
            )
        self._command = (program, "-", "-", "--psm", str(page), "-l", "eng")
        # Tesseract's own threads would take every core away from the denoiser.
        self._environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}

    def read(self, image: Image.Image) -> str:
        """Raises VerificationError where Tesseract fails."""
        large, _ = enlarged(image)
        data = io.BytesIO()
        large.save(data, "PNG", compress_level=1, dpi=(72, 72))
        try:
            done = subprocess.run(  # noqa: S603 - the user's own tesseract; the picture goes in as data
                self._command,
                input=data.getvalue(),
                capture_output=True,
                env=self._environment,
                timeout=_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise VerificationError(f"Tesseract failed ({type(error).__name__})") from error
        return " ".join(done.stdout.decode("utf-8", "replace").split())
