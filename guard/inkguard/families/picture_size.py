"""Sizes that a model can draw."""

from __future__ import annotations

from inkguard.errors import InvalidInput

__all__ = ["MAX_SIDE", "check_side"]

MAX_SIDE = 4096
"""Longest side of a picture in pixels, where a model states none."""


def check_side(name: str, value: int | None, unit: int, most: int) -> None:
    """Raise InvalidInput unless `value` is None or a multiple of `unit` up to `most`, in pixels."""
    if value is not None and (not unit <= value <= most or value % unit):
        raise InvalidInput(name, f"must be a multiple of {unit} from {unit} to {most}, got {value}")
