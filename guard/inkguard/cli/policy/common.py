"""What the policy commands share: their options, checkers, and how things are printed."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.table import Table
from rich.text import Text

from inkguard.cli.terminal import COLORS, waiting
from inkguard.policy.model import Mode, Policy
from inkguard.types import Action, Decision

if TYPE_CHECKING:
    from inkguard.check.checker import Checker

__all__ = [
    "COLORS",
    "FOUND",
    "Json",
    "ListsOnly",
    "PolicyArgument",
    "PolicyOption",
    "checker_for",
    "decisions",
    "offset",
    "out",
    "save_picture",
    "shown",
    "table",
    "timed_decisions",
]

FOUND = 1
"""Exit code for findings of lint, failing tests and decisions that differ."""

_BATCH = 64

PolicyArgument = Annotated[
    Path | None,
    typer.Argument(help="Policy file. [default: the shipped one]", show_default=False),
]
PolicyOption = Annotated[
    Path | None,
    typer.Option("--policy", help="Policy file. [default: the shipped one]", show_default=False),
]
ListsOnly = Annotated[
    bool,
    typer.Option("--lists-only", help="Leave the classifier out, which takes a while to load."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


_SVG = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace(
    "Fira Code, monospace", "DejaVu Sans Mono, Menlo, Consolas, monospace"
)
"""rich's own format has its font fetched from a server whenever somebody looks at the picture."""


def out() -> Console:
    """Standard output; lines are broken late where it is no terminal, and COLUMNS says nothing."""
    console = Console(highlight=False)
    fixed = console.is_terminal or "COLUMNS" in os.environ
    return console if fixed else Console(highlight=False, width=160)


def save_picture(console: Console, path: Path, title: str) -> None:
    """Write what a recording console has printed as SVG, which needs nothing from elsewhere."""
    console.save_svg(str(path), title=title, code_format=_SVG)


def table(*columns: str, title: str | None = None) -> Table:
    """A table whose cells go on in further lines where they are too wide; nothing is cut off."""
    made = Table(title=title, title_justify="left")
    for name in columns:
        made.add_column(name, overflow="fold")
    return made


def checker_for(policy: Policy, lists_only: bool) -> Checker:
    """A checker that decides as the policy does when it is enforced."""
    from inkguard.check.checker import load_checker

    enforced = replace(policy, mode=Mode.ENFORCE)
    loads = policy.uses_classifier and not lists_only
    with waiting("Loading the classifier") if loads else nullcontext():
        return load_checker(enforced, lists_only=lists_only)


def decisions(checker: Checker, prompts: Sequence[str]) -> list[Decision]:
    """Decisions in the order of the prompts."""
    return [decision for decision, _ in timed_decisions(checker, prompts)]


def timed_decisions(
    checker: Checker, prompts: Sequence[str], clock: Callable[[], float] = time.perf_counter
) -> Iterator[tuple[Decision, float]]:
    """Decisions in the order of the prompts, with the seconds of each: its share of its batch's."""
    for start in range(0, len(prompts), _BATCH):
        batch, began = prompts[start : start + _BATCH], clock()
        found = checker.check_many(batch)
        seconds = (clock() - began) / len(batch)
        yield from ((decision, seconds) for decision in found)


def shown(action: Action) -> Text:
    """An action in its colour."""
    return Text(str(action), style=COLORS[str(action)])


def offset(start: int, end: int) -> str:
    """A range of characters as the tables show it: 3:8."""
    return f"{start}:{end}"


def joined(items: Iterable[object]) -> str:
    """For people: a, b, c; or a dash for nothing."""
    return ", ".join(map(str, items)) or "-"
