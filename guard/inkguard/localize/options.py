"""The options of a run, and what follows from them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields
from pathlib import Path

from inkguard.errors import InvalidInput

__all__ = ["DEFAULT_PAIRS", "Options"]

DEFAULT_PAIRS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """As given on the command line of `inkguard localize`; its help describes them.

    Raises InvalidInput for lists that are not lists, and for steps that do not exist.
    """

    out: Path
    model: str = "sd3-tiny"
    prompts: Path | None = None
    pairs: int | None = None
    seeds: int = 1
    seed: int = 77
    steps: int = 20
    start_steps: str | None = None
    within: float = 0.03
    max_sites: int = 3
    candidates: int = 8
    sites: str | None = None
    batch: int = 8
    device: str = "cpu"
    dtype: str = "float32"
    threads: int | None = None
    height: int | None = None
    width: int | None = None
    guidance: float | None = None
    max_sequence_length: int | None = None
    examples: int = 6

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InvalidInput("--seed", "must not be negative")
        if late := [s for s in self.starts if s >= self.steps]:
            raise InvalidInput("--start-steps", f"{late[0]} is beyond the {self.steps} steps")
        _ = self.chosen

    @property
    def starts(self) -> tuple[int, ...]:
        """Starting steps, 0 among them, in order: by default 0, 5, 10 and 20 % of the steps."""
        if self.start_steps is None:
            given = {round(self.steps * share) for share in (0.05, 0.1, 0.2)}
        else:
            given = set(_numbers("--start-steps", self.start_steps))
        return tuple(sorted({0, *given}))

    @property
    def chosen(self) -> tuple[int, ...] | None:
        """The sites that are taken whatever is measured."""
        if self.sites is None:
            return None
        return tuple(sorted(set(_numbers("--sites", self.sites))))

    @property
    def command(self) -> str:
        """The command line, without what is a default."""
        words = ["inkguard", "localize"]
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default or field.name == "model":
                words += [f"--{field.name.replace('_', '-')}", str(value)]
        return shlex.join(words)


def _numbers(name: str, text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 0:
        raise InvalidInput(name, "expected whole numbers with commas between them, as 0,1,2")
    return numbers
