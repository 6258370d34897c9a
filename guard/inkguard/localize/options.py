"""The options of `inkguard localize`, and what follows from them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import typer

from inkguard.errors import InvalidInput
from inkguard.measure.options import MeasureOptions, whole_numbers

__all__ = ["DEFAULT_PAIRS", "Options"]

DEFAULT_PAIRS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(MeasureOptions):
    """What to localize, and how thoroughly.

    Raises InvalidInput for lists that are not lists, and for steps that do not exist.
    """

    prompts: Annotated[
        Path | None,
        typer.Option(
            help="Words or prompts, one a line, or JSON lines. (default: the synthetic world's)"
        ),
    ] = None
    pairs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Pairs of prompt and donor. (default: 24; with --prompts all lines)"
        ),
    ] = None
    seeds: Annotated[int, typer.Option(min=1, help="Pictures of each pair.")] = 1
    seed: Annotated[int, typer.Option(help="Of the choice of words.")] = 77
    start_steps: Annotated[
        str | None,
        typer.Option(
            help="Steps at which the chosen sites begin, as 0,1,2. (default: 0, 5, 10 and 20 %)"
        ),
    ] = None
    within: Annotated[
        float, typer.Option(min=0, max=1, help="How near to whole-prompt swap is good enough.")
    ] = 0.03
    max_sites: Annotated[int, typer.Option(min=1, help="Largest set of sites.")] = 3
    candidates: Annotated[
        int, typer.Option(min=1, help="How many of the best sites are tried at each growth.")
    ] = 8
    sites: Annotated[
        str | None, typer.Option(help="Take these sites, as 4,5, whatever is measured.")
    ] = None
    batch: Annotated[int, typer.Option(min=1, help="Pictures drawn at once.")] = 8
    height: Annotated[int | None, typer.Option(min=1, help="In pixels.")] = None
    width: Annotated[int | None, typer.Option(min=1, help="In pixels.")] = None
    guidance: Annotated[float | None, typer.Option(min=0, max=100, help="Guidance scale.")] = None
    max_sequence_length: Annotated[
        int | None, typer.Option(min=1, help="Text tokens (T5), where the pipeline takes it.")
    ] = None
    examples: Annotated[int, typer.Option(min=1, help="Pairs whose pictures are kept.")] = 6
    install: Annotated[
        bool,
        typer.Option(
            "--install",
            help="Put the manifest into the model's folder, where the guard finds it; an earlier "
            "one is kept beside it as .old.",
        ),
    ] = False

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InvalidInput("--seed", "must not be negative")
        if late := [s for s in self.starts if s >= self.steps]:
            raise InvalidInput("--start-steps", f"{late[0]} is beyond the {self.steps} steps")
        _ = self.chosen

    @property
    def starts(self) -> tuple[int, ...]:
        """Starting steps, 0 among them, in order: by default 0, 5, 10 and 20 % of the steps."""
        given = whole_numbers("--start-steps", self.start_steps)
        if given is None:
            given = tuple(round(self.steps * share) for share in (0.05, 0.1, 0.2))
        return tuple(sorted({0, *given}))

    @property
    def chosen(self) -> tuple[int, ...] | None:
        """The sites that are taken whatever is measured."""
        return whole_numbers("--sites", self.sites)

    @property
    def command(self) -> str:
        """The command line that measures this, without what is a default."""
        words = ["inkguard", "localize"]
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "install" and (value != field.default or field.name == "model"):
                words += [f"--{field.name.replace('_', '-')}", str(value)]
        return shlex.join(words)
