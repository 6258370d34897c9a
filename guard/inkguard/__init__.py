"""inkguard: notices toxic words that a prompt wants drawn, and draws the picture with other words.

guard = Guard.load()
outcome = guard.generate(Request(prompt='a red sign that says "LOSER" on a blue background'))

Importing it and loading a model change nothing in the process (docs/guides/python.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inkguard.errors import Blocked, GuardError
from inkguard.types import Action, Decision, Finding, Method, Outcome, Request, TextSpan

if TYPE_CHECKING:
    from inkguard.guard import Guard, wrap

__all__ = [
    "Action",
    "Blocked",
    "Decision",
    "Finding",
    "Guard",
    "GuardError",
    "Method",
    "Outcome",
    "Request",
    "TextSpan",
    "wrap",
]


def __getattr__(name: str) -> Any:
    """Load the model libraries only when a picture is wanted: they take seconds to import."""
    if name in {"Guard", "wrap"}:
        from inkguard import guard

        return getattr(guard, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
