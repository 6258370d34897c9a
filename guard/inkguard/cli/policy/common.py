"""What the policy commands share: their options, checkers, and how things are printed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
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
    "shown",
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


def out() -> Console:
    """Standard output; lines are not broken where it is no terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=160)


def checker_for(policy: Policy, lists_only: bool) -> Checker:
    """A checker that decides as the policy does when it is enforced."""
    from inkguard.check.checker import Checker

    policy = replace(policy, mode=Mode.ENFORCE)
    if lists_only:
        return Checker(replace(policy, detoxify={}), None)
    if not policy.uses_classifier:
        return Checker(policy, None)
    with waiting("Loading the classifier"):
        from inkguard.score.scorer import load_scorer

        return Checker(policy, load_scorer())


def decisions(checker: Checker, prompts: Sequence[str]) -> list[Decision]:
    """Decisions in the order of the prompts."""
    found: list[Decision] = []
    for start in range(0, len(prompts), _BATCH):
        found += checker.check_many(prompts[start : start + _BATCH])
    return found


def shown(action: Action) -> Text:
    """An action in its colour."""
    return Text(str(action), style=COLORS[str(action)])


def offset(start: int, end: int) -> str:
    return f"{start}:{end}"


def joined(items: Iterable[object]) -> str:
    """For people: a, b, c; or a dash for nothing."""
    return ", ".join(map(str, items)) or "-"
