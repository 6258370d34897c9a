"""What a measurement needs before it begins: the extras, an OCR engine, and a model on a device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from inkguard.draw.load import load_pipeline
from inkguard.errors import MeasureError, MissingExtra, VerificationError
from inkguard.measure.options import Dtype, MeasureOptions
from inkguard.verify import LineReader, default_reader

__all__ = ["device_memory", "load_model", "require_measure", "require_reader"]

_NEEDED = {
    "jinja2": "jinja2",
    "matplotlib": "matplotlib",
    "scipy": "scipy",
    "skimage": "scikit-image",
}


def require_measure() -> None:
    """Raise MissingExtra unless everything in the extra `measure` is installed."""
    missing = [name for module, name in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise MissingExtra("measure", f"measuring needs {', '.join(missing)}")


def require_reader() -> LineReader:
    """The OCR of the extra `ocr`; raises MeasureError where it is not installed."""
    try:
        return default_reader()
    except VerificationError as error:
        if isinstance(error.__cause__, ImportError):
            raise MeasureError(
                "OCR is not installed, which tells whose text is drawn: pip install 'inkguard[ocr]'"
            ) from error
        raise


def load_model(options: MeasureOptions) -> tuple[Any, Path]:
    """The pipeline to measure and its folder, with PyTorch's threads set as asked for.

    Raises ModelError where the model cannot be had, or the device is not there.
    """
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    dtype = getattr(torch, Dtype(options.dtype))
    return load_pipeline(options.model, device=options.device, dtype=dtype, hub=True)


@contextmanager
def device_memory(advice: str) -> Iterator[None]:
    """Raise MeasureError with `advice` where the device's memory ends inside of the `with`."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise MeasureError(f"the device's memory is too small: {advice}") from None
