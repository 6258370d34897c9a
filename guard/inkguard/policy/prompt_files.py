"""Prompts with what a policy is to make of them, from a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inkguard.errors import InvalidInput
from inkguard.policy.schema import PolicyTest
from inkguard.types import Action

__all__ = ["PromptTest", "read_prompts", "read_tests"]

_LABELS: dict[str, tuple[Action, ...]] = {
    "harmless": (Action.ALLOW, Action.FLAG),
    "toxic": (Action.SUBSTITUTE, Action.BLOCK),
}
_POSITION = re.compile(r".+/[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTest:
    """A prompt and what a policy is to make of it: one of `actions`.

    `category` and `rule` are of one of the findings, where they are given; `rule` may be the beginning
    of its id. `place` is file:line, with the column in a policy.
    """

    prompt: str = field(repr=False)
    actions: tuple[Action, ...]
    category: str | None = None
    rule: str | None = None
    place: str = ""

    @classmethod
    def of(cls, test: PolicyTest) -> PromptTest:
        """A policy's own test."""
        return cls(
            prompt=test.prompt,
            actions=(test.action,),
            category=test.category,
            rule=test.rule,
            place=test.place,
        )


def read_prompts(path: Path) -> list[str]:
    """The prompts of a file: one a line, or where it is named .jsonl, objects with `prompt`.

    Raises InvalidInput with file and line.
    """
    return [row["prompt"] for _, row in _rows(path)]


def read_tests(path: Path) -> list[PromptTest]:
    """Prompts with `action`, the expected one, or `label`: toxic (substitute or block) or harmless.

    `category` and `rule`, where they are there, must be those of a finding. Raises InvalidInput.
    """
    return [_test(row, place) for place, row in _rows(path)]


def _test(row: dict[str, Any], place: str) -> PromptTest:
    actions: dict[str, tuple[Action, ...]] = {str(action): (action,) for action in Action}
    if "action" in row:
        wanted = actions.get(str(row["action"]))
    else:
        wanted = _LABELS.get(str(row.get("label")))
    if wanted is None:
        known = ", ".join(actions)
        raise InvalidInput(place, f"expected an action ({known}) or a label (toxic, harmless)")
    rule = row.get("rule")
    if isinstance(rule, str) and _POSITION.fullmatch(rule):
        problem = "ids by position are no longer taken; `inkguard policy explain` prints today's"
        raise InvalidInput(place, problem)
    # The categories of a labelled set are its own: only with an action is it the policy's.
    category = row.get("category") if "action" in row else None
    return PromptTest(
        prompt=row["prompt"], actions=wanted, category=category, rule=rule, place=place
    )


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InvalidInput(str(path), error.strerror or "cannot be read") from None
    except UnicodeDecodeError:
        raise InvalidInput(str(path), "this is not text in UTF-8") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            place = f"{path}:{number}"
            yield place, _object(line, place) if path.suffix == ".jsonl" else {"prompt": line}


def _object(line: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        raise InvalidInput(place, "this is not JSON") from None
    if not isinstance(row, dict) or not isinstance(row.get("prompt"), str):
        raise InvalidInput(place, "expected an object with a string as prompt")
    return row
