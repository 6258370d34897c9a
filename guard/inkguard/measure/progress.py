"""How far a run is, and how long it still takes."""

from __future__ import annotations

import time
from contextlib import nullcontext
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["Ticker", "waiting"]

_PERIOD = 3600.0
"""Seconds over which the speed is estimated: one picture of a large model may take minutes."""


def waiting(what: str) -> Any:
    """A spinner on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    return console.status(f"{what} ...") if console.is_terminal else nullcontext()


class Ticker:
    """Counts pictures: a bar on a terminal, a line for each result elsewhere (both on stderr)."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("pictures,"),
            TimeElapsedColumn(),
            TextColumn("so far,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            speed_estimate_period=_PERIOD,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("loading", total=None)
        self._count, self._total, self._began = 0, 0, time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def expect(self, left: int) -> None:
        """Say how many pictures are still to be drawn; what was measured before does not count."""
        self._total = self._count + left
        self._bar.update(self._task, total=self._total)

    def begin(self, what: str) -> None:
        """Name what is being drawn."""
        self._bar.update(self._task, description=what)

    def advance(self) -> None:
        """One picture is drawn and scored."""
        self._count += 1
        self._total = max(self._total, self._count)
        self._bar.update(self._task, completed=self._count, total=self._total)

    def done(self, what: str) -> None:
        """Something is measured, with this result: a line where there is no bar."""
        if not self._console.is_terminal:
            self._console.print(
                f"{self._count}/{self._total} pictures, {self._left()}: {what}",
                highlight=False,
                soft_wrap=True,
            )

    def _left(self) -> str:
        each = (time.monotonic() - self._began) / max(1, self._count)
        return f"{(self._total - self._count) * each:.0f} s left"
