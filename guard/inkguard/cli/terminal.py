"""What the command line prints for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from inkguard.types import Decision

__all__ = ["drawing", "show_decision"]

_COLORS = {"allow": "green", "flag": "yellow", "substitute": "cyan", "block": "red"}


@contextmanager
def drawing() -> Iterator[Any]:
    """A progress bar on a terminal; yields what is to be called with (steps done, steps in all)."""
    console = Console(stderr=True)
    columns = (TextColumn("Drawing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("Drawing", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show_decision(decision: Decision) -> None:
    """The decision, its findings as a table, and what is drawn instead."""
    console = Console(soft_wrap=True)
    action, policy = str(decision.action), decision.policy
    console.print(f"[bold {_COLORS[action]}]{action}[/]  (policy {policy.name} {policy.version})")
    if decision.findings:
        table = Table("where", "text", "source", "rule", "category", "severity", "score")
        for f in decision.findings:
            where = f"{f.start}:{f.end}"
            cells = (where, f.text, f.source, f.rule, f.category, str(f.severity), f"{f.score:.2f}")
            table.add_row(*(cell.replace("[", "\\[") for cell in cells))
        console.print(table)
    if decision.donor_prompt is not None:
        console.print("drawn instead: ", end="")
        console.print(decision.donor_prompt, markup=False)
