"""`inkguard policy lint`: what is wrong with a policy although it loads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from inkguard.cli.policy.common import FOUND, Json, PolicyArgument, out, save_picture, table
from inkguard.policy.lint import Level, Problem, problems
from inkguard.policy.load import read_policy

__all__ = ["lint"]

_COLORS = {Level.ERROR: "red", Level.WARNING: "yellow", Level.NOTE: "dim"}


def lint(
    policy: PolicyArgument = None,
    harmless: Annotated[
        Path | None,
        typer.Option(help="More words that no term may hit: one a line, or YAML groups."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Lines of each kind that are printed.")] = 20,
    svg: Annotated[
        Path | None, typer.Option(help="Write what is printed as a picture, too.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look for mistakes in a policy that loads. Exits 1 for errors and warnings, not for notes."""
    found = problems(read_policy(policy), harmless)
    if as_json:
        rows = [{**asdict(p), "level": p.level.value} for p in found]
        print(json.dumps({"problems": rows}, ensure_ascii=False))
    else:
        console = out() if svg is None else Console(highlight=False, record=True, width=110)
        _print(console, found, limit)
        if svg is not None:
            save_picture(console, svg, "inkguard policy lint")
    if any(p.level is not Level.NOTE for p in found):
        raise typer.Exit(FOUND)


def _print(console: Console, found: Sequence[Problem], limit: int) -> None:
    kinds: dict[str, list[Problem]] = {}
    for problem in found:
        kinds.setdefault(problem.kind, []).append(problem)
    for kind, group in kinds.items():
        counts = ", ".join(_counted(group))
        rows = table("where", "what", title=f"{kind} ({counts})")
        for problem in group[:limit]:
            where = "/".join(problem.place.split("/")[-2:])
            rows.add_row(where, Text(problem.text, style=_COLORS[problem.level]))
        console.print(rows)
        if len(group) > limit:
            console.print(f"and {len(group) - limit} more (--limit)")
    console.print(", ".join(_counted(found)) or "[green]nothing found[/]")


def _counted(found: Sequence[Problem]) -> list[str]:
    """How many there are of each level: `2 warnings`."""
    return [
        f"{number} {level.value}{'' if number == 1 else 's'}"
        for level in Level
        if (number := sum(p.level is level for p in found))
    ]
