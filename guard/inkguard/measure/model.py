"""The model that is measured: where it comes from, where it runs, and what if it does not fit there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from inkguard.draw.load import load_pipeline
from inkguard.dtypes import DTYPES
from inkguard.errors import InvalidInput
from inkguard.measure.errors import MeasureError

__all__ = ["device_memory", "load_model"]


def load_model(model: str, device: str, dtype: str) -> tuple[Any, Path]:
    """A pipeline and its folder; `model` may be an ORG/NAME on the hub, `dtype` is one of DTYPES.

    Raises InvalidInput for a device or a number type that is not there, ModelError for a model.
    """
    if dtype not in DTYPES:
        raise InvalidInput("--dtype", f"must be one of {', '.join(DTYPES)}")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        raise InvalidInput("--device", f"{device!r} is not there; try cpu") from None
    return load_pipeline(model, device=device, dtype=getattr(torch, dtype), hub=True)


@contextmanager
def device_memory(advice: str) -> Iterator[None]:
    """Raise MeasureError with `advice` where the device's memory ends inside of the `with`."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise MeasureError(f"the device's memory is too small: {advice}") from None
