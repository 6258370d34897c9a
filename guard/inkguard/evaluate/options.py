"""The options of `inkguard evaluate`, and the methods that it compares."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from inkguard.errors import InvalidInput
from inkguard.measure.options import MeasureOptions, whole_numbers

__all__ = ["Compared", "Options"]


class Compared(enum.StrEnum):
    """What `inkguard evaluate` compares, in the order in which it draws them."""

    NONE = "none"
    SUBSTITUTE = "substitute"
    PROMPT_SWAP = "prompt_swap"
    NEGATIVE_PROMPT = "negative_prompt"
    TWO_PASS = "two_pass"

    @property
    def label(self) -> str:
        """The name that tables and contact sheets give it."""
        return "unguarded" if self is Compared.NONE else str(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(MeasureOptions):
    """What to evaluate. Raises InvalidInput for methods that are not known, and for sites that are no list."""

    methods: Annotated[
        str, typer.Option(help="With commas; none, the reference, is always drawn.")
    ] = "substitute,prompt_swap,negative_prompt,two_pass,none"
    prompts: Annotated[
        Path | None,
        typer.Option(
            help="Toxic prompts, one a line, or JSON lines with prompt and seed. "
            "(default: mild insults in the synthetic world)"
        ),
    ] = None
    limit: Annotated[
        int | None, typer.Option(min=1, help="Prompts. (default: 100; with --prompts all)")
    ] = None
    skip_others: Annotated[
        bool, typer.Option("--skip-others", help="Leave out prompts that are not substituted.")
    ] = False
    policy: Annotated[Path | None, typer.Option(help="Policy file.")] = None
    seed: Annotated[int, typer.Option(min=0, help="Of the built-in prompts' scenes.")] = 4242
    sites: Annotated[str | None, typer.Option(help="Other sites than the manifest's, as 4,5.")] = (
        None
    )
    start_step: Annotated[
        int | None, typer.Option(min=0, help="Another start than the manifest's.")
    ] = None
    verify: Annotated[
        bool, typer.Option("--verify", help="Also draw with verification on, and count its rungs.")
    ] = False

    def __post_init__(self) -> None:
        _ = self.compared, self.chosen

    @property
    def compared(self) -> tuple[Compared, ...]:
        """The methods that are drawn, in the order of `Compared`; the unguarded one is the first."""
        asked = {name.strip() for name in self.methods.split(",")}
        if wrong := sorted(asked - {str(m) for m in Compared}):
            raise InvalidInput("--methods", f"{wrong[0]!r} is none of {', '.join(Compared)}")
        return tuple(m for m in Compared if str(m) in asked or m is Compared.NONE)

    @property
    def chosen(self) -> tuple[int, ...] | None:
        """The sites that are taken instead of the manifest's."""
        return whole_numbers("--sites", self.sites)
