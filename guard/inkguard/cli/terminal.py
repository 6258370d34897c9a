"""What the command line shows people: progress on standard error, decisions on standard output."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Any, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from inkguard.types import GIVEN_PICTURE, TOXIC_PICTURE, Action, Decision, Finding

__all__ = [
    "COLORS",
    "TerminalProgress",
    "drawing",
    "duration",
    "explain_reason",
    "show_decision",
    "waiting",
]

COLORS = {"allow": "green", "flag": "yellow", "substitute": "cyan", "block": "red"}
_PERIOD = 3600.0
"""Seconds over which the speed is estimated: one picture of a large model may take minutes."""
_SHADOW, _AS_READ = "shadow_", "_as_read"
_REASONS = {
    "clean": "nothing was found",
    "findings": "what was found, below",
    "donor_rejected": "no harmless text was found to put in its place",
    "classifier_error": "the classifier failed",
    TOXIC_PICTURE: "toxic text was read in the picture",
    GIVEN_PICTURE: "toxic text was read in a picture that was handed in",
}


def waiting(what: str) -> Any:
    """A spinner on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    return console.status(f"{what} ...") if console.is_terminal else nullcontext()


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


class TerminalProgress:
    """A measurement's progress (`inkguard.measure.progress.ProgressReporter`), on standard error.

    How many pictures there will be is said at once, and how long they will take after the first ones. Then
    there is a bar on a terminal, and a line for each result elsewhere.
    """

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
        self._task = self._bar.add_task("", total=None)
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

    def begin(self, what: str) -> None:
        self._bar.update(self._task, description=what)

    def expect(self, left: int) -> None:
        if not self._total and left:
            self._began = time.monotonic()
            self._say(f"At most {left:,} pictures are to be drawn")
        self._total = self._count + left
        self._bar.update(self._task, total=self._total)

    def speed(self, seconds: float) -> None:
        left = self._total - self._count
        self._say(f"A picture takes {seconds:.1f} s: {duration(seconds * left)} for {left:,}")

    def advance(self) -> None:
        self._count += 1
        self._total = max(self._total, self._count)
        self._bar.update(self._task, completed=self._count, total=self._total)

    def done(self, what: str) -> None:
        if not self._console.is_terminal:
            each = (time.monotonic() - self._began) / max(1, self._count)
            left = duration((self._total - self._count) * each)
            self._say(f"{self._count:,}/{self._total:,} pictures, {left} left: {what}")

    def _say(self, what: str) -> None:
        self._console.print(what, highlight=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """A time in the unit that people would name: "50 s", "12 minutes", "3.5 hours"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def explain_reason(reason: str) -> str:
    """A decision's reason code in words; an unknown code as it is."""
    if reason.startswith(_SHADOW):
        wanted = reason.removeprefix(_SHADOW)
        return f"the policy is in shadow mode; enforced, it would be {wanted}"
    if reason.endswith(_AS_READ):
        return (
            f"{explain_reason(reason.removesuffix(_AS_READ))}, in the prompt as the model reads it"
        )
    return _REASONS.get(reason, reason)


def show_decision(decision: Decision) -> None:
    """The decision and its reason, its findings as a table, and what is drawn instead."""
    console, policy = Console(highlight=False), decision.policy
    head = Text(str(decision.action), style=f"bold {COLORS[str(decision.action)]}")
    console.print(head, f" (policy {policy.name} {policy.version})", sep="", soft_wrap=True)
    if decision.action is not Action.ALLOW or decision.findings:
        console.print(
            f"reason: {explain_reason(decision.reason)} [{decision.reason}]",
            markup=False,
            soft_wrap=True,
        )
    if decision.findings:
        console.print(_findings(decision.findings))
    if decision.donor_prompt is not None:
        console.print(f"drawn instead: {decision.donor_prompt}", markup=False, soft_wrap=True)


def _findings(findings: tuple[Finding, ...]) -> Table:
    """Within 80 columns; what is longer than its column goes on in the next line."""
    table = Table(
        Column("text", overflow="fold", max_width=24),
        Column("at", no_wrap=True),
        Column("rule", overflow="fold"),
        Column("severity", no_wrap=True),
        Column("found by", overflow="fold"),
        Column("score", no_wrap=True, justify="right"),
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for f in findings:
        rule = f.rule if f.rule.startswith(f.category) else f"{f.rule} ({f.category})"
        cells = (f.text, f"{f.start}:{f.end}", rule, str(f.severity), f.source, f"{f.score:.2f}")
        table.add_row(*map(Text, cells))
    return table
