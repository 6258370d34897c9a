"""inkguard: notices toxic words that a prompt wants drawn, and draws the picture with other words.

guard = Guard.load()
outcome = guard.generate(Request(prompt='a red sign that says "LOSER" on a blue background'))
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from guard import offline as offline  # first: the model hub is closed before a library is imported
from guard.errors import Blocked, GuardError
from guard.types import Action, Decision, Finding, Method, Outcome, Request, TextSpan

if TYPE_CHECKING:
    from guard.guard import Guard, wrap

# A bar for each part of a small model is noise; the command line shows its own progress.
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
# Both libraries log parts of prompts (what was truncated), and prompts must not reach a log.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")

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
        from guard import guard

        return getattr(guard, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
