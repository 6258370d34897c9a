"""The options that `inkguard localize` and `inkguard evaluate` share."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from inkguard.errors import InvalidInput

__all__ = ["Dtype", "MeasureOptions", "whole_numbers"]


class Dtype(enum.StrEnum):
    """The number types in which a model is drawn, by the names of their PyTorch types."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureOptions:
    """What is measured, where, and where the results go.

    The annotations are the command line's help and bounds (`inkguard.cli.options`).
    """

    out: Annotated[Path, typer.Option(help="Folder for the results; a killed run goes on there.")]
    model: Annotated[
        str,
        typer.Option(help="An embedded model's name, a diffusers folder, or ORG/NAME on the hub."),
    ] = "sd3-tiny"
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Denoising steps.")] = 20
    device: Annotated[str, typer.Option(help="Where the model runs: cpu, cuda, cuda:1, mps.")] = (
        "cpu"
    )
    dtype: Annotated[Dtype, typer.Option(help="Number type.")] = Dtype.FLOAT32
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None


def whole_numbers(option: str, text: str | None) -> tuple[int, ...] | None:
    """The whole numbers in a list such as "4,5", in order and each once; None for None. Raises InvalidInput."""
    if text is None:
        return None
    try:
        numbers = sorted({int(part) for part in text.split(",")})
    except ValueError:
        numbers = []
    if not numbers or numbers[0] < 0:
        raise InvalidInput(option, "expected whole numbers with commas between them, as 4,5")
    return tuple(numbers)
