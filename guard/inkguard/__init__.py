"""inkguard: notices toxic words that a prompt wants drawn, and draws the picture with other words.

guard = Guard.load()
result = guard.generate(Request(prompt='a red sign that says "LOSER" on a blue background'))

Importing it and loading a model change nothing in the process (docs/PYTHON.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inkguard.errors import Blocked, GuardError
from inkguard.types import Action, Decision, Finding, Method, Request, Result, TextSpan

if TYPE_CHECKING:
    from inkguard.draw.guarded_pipeline import wrap
    from inkguard.guard import Guard

__all__ = [
    "Action",
    "Blocked",
    "Decision",
    "Finding",
    "Guard",
    "GuardError",
    "Method",
    "Request",
    "Result",
    "TextSpan",
    "wrap",
]


def __getattr__(name: str) -> Any:
    """Load the model libraries only when a picture is wanted: they take seconds to import."""
    if name == "Guard":
        from inkguard.guard import Guard

        return Guard
    if name == "wrap":
        from inkguard.draw.guarded_pipeline import wrap

        return wrap
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
