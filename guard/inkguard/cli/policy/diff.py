"""`inkguard policy diff`: which decisions an edit changes, before it does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from inkguard.cli.policy.common import (
    FOUND,
    Json,
    ListsOnly,
    checker_for,
    decisions,
    joined,
    out,
    shown,
    table,
)
from inkguard.policy.load import load_policy
from inkguard.policy.prompt_files import read_prompts
from inkguard.types import Action, Decision

__all__ = ["Change", "changes", "diff"]


@dataclass(frozen=True, slots=True)
class Change:
    """A prompt on which two policies decide otherwise. `number` counts prompts from 1."""

    number: int
    prompt: str
    before: Decision
    after: Decision

    @property
    def category(self) -> str:
        """That of the strictest finding of the stricter decision."""
        stricter = max(self.before, self.after, key=lambda d: d.action)
        worst = max(stricter.findings, key=lambda f: (f.action, f.severity), default=None)
        return "none" if worst is None else worst.category


def diff(
    a: Annotated[Path, typer.Argument(help="The policy as it is.", show_default=False)],
    b: Annotated[Path, typer.Argument(help="The policy as it would be.", show_default=False)],
    prompts: Annotated[
        Path, typer.Option(help="Prompts, one a line; a file named .jsonl has objects.")
    ],
    examples: Annotated[int, typer.Option(min=0, help="Examples of each change.")] = 3,
    lists_only: ListsOnly = False,
    as_json: Json = False,
) -> None:
    """Say which decisions differ between two policies, by category, with examples. Exits 1 where some do.

    `default` is the shipped policy.
    """
    texts = read_prompts(prompts)
    old = decisions(checker_for(load_policy(a), lists_only), texts)
    new = decisions(checker_for(load_policy(b), lists_only), texts)
    found = changes(texts, old, new)
    if as_json:
        print(json.dumps(_json(len(texts), found), ensure_ascii=False))
    else:
        _print(len(texts), found, examples)
    if found:
        raise typer.Exit(FOUND)


def changes(
    prompts: Sequence[str], before: Sequence[Decision], after: Sequence[Decision]
) -> list[Change]:
    """The prompts whose action or text to be drawn differs."""
    return [
        Change(number, prompt, old, new)
        for number, (prompt, old, new) in enumerate(zip(prompts, before, after, strict=True), 1)
        if (old.action, old.donor_prompt) != (new.action, new.donor_prompt)
    ]


def _counted(found: Sequence[Change]) -> dict[tuple[str, Action, Action], list[Change]]:
    groups: dict[tuple[str, Action, Action], list[Change]] = {}
    for change in found:
        key = (change.category, change.before.action, change.after.action)
        groups.setdefault(key, []).append(change)
    return dict(sorted(groups.items(), key=lambda item: (-len(item[1]), item[0][0])))


def _print(total: int, found: Sequence[Change], examples: int) -> None:
    console = out()
    groups = _counted(found)
    if groups:
        rows = table("category", "before", "after", "prompts")
        for (category, before, after), group in groups.items():
            rows.add_row(category, shown(before), shown(after), str(len(group)))
        console.print(rows)
    for (category, before, after), group in groups.items() if examples else ():
        head = Text.assemble(category, ": ", shown(before), " to ", shown(after), style="bold")
        console.print(head)
        for change in group[:examples]:
            console.print(Text(f"  {change.number}: {change.prompt}"))
            if before is after:
                console.print(Text(f"    was drawn: {change.before.donor_prompt}"))
                console.print(Text(f"    now drawn: {change.after.donor_prompt}"))
            rules = dict.fromkeys(f.rule for d in (change.before, change.after) for f in d.findings)
            console.print(Text(f"    {joined(rules)}", style="dim"))
    counts = Counter(_direction(change) for change in found)
    text = ", ".join(f"{number} {name}" for name, number in counts.items()) or "none changes"
    console.print(f"{total} prompts: {text}")


def _direction(change: Change) -> str:
    if change.before.action is change.after.action:
        return "drawn with other words"
    return "stricter" if change.after.action > change.before.action else "milder"


def _json(total: int, found: Sequence[Change]) -> dict[str, Any]:
    return {
        "prompts": total,
        "changed": len(found),
        "groups": [
            {
                "category": category,
                "before": str(before),
                "after": str(after),
                "count": len(group),
                "prompts": [change.number for change in group],
            }
            for (category, before, after), group in _counted(found).items()
        ],
    }
