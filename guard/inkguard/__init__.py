"""inkguard notices toxic words that a prompt wants drawn, and draws the picture with other words.

    from inkguard import Guard, Request

    guard = Guard.load()
    result = guard.generate(Request(prompt='a red sign that says "LOSER" on a blue background'))

The check by word lists needs none of the models' packages:

    from inkguard import load_checker

    decision = load_checker(lists_only=True).check('a sign that says "LOSER"')

Importing inkguard imports nothing else and changes nothing in the process (docs/guides/python.md). Each public
name is loaded when it is first used. A name whose packages are not installed raises MissingExtra, which
says what to install.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inkguard.check.checker import Checker, load_checker
    from inkguard.draw.guarded_pipeline import GuardedPipeline, wrap
    from inkguard.errors import (
        Blocked,
        CallError,
        GuardError,
        InvalidInput,
        MissingExtra,
        ModelError,
        PolicyError,
        UnguardedUse,
    )
    from inkguard.families import register_family
    from inkguard.guard import Guard
    from inkguard.manifests.manifest import Manifest
    from inkguard.policy.load import load_policy
    from inkguard.policy.model import Policy
    from inkguard.types import (
        Action,
        Decision,
        Finding,
        Method,
        Request,
        Result,
        Rung,
        Severity,
        TextSpan,
        Verification,
    )
    from inkguard.verify.reader import Reader

    __version__: str

__all__ = [
    "Action",
    "Blocked",
    "CallError",
    "Checker",
    "Decision",
    "Finding",
    "Guard",
    "GuardError",
    "GuardedPipeline",
    "InvalidInput",
    "Manifest",
    "Method",
    "MissingExtra",
    "ModelError",
    "Policy",
    "PolicyError",
    "Reader",
    "Request",
    "Result",
    "Rung",
    "Severity",
    "TextSpan",
    "UnguardedUse",
    "Verification",
    "load_checker",
    "load_policy",
    "register_family",
    "wrap",
]

_NAMES_OF = {
    "inkguard.check.checker": ("Checker", "load_checker"),
    "inkguard.draw.guarded_pipeline": ("GuardedPipeline", "wrap"),
    "inkguard.errors": (
        "Blocked",
        "CallError",
        "GuardError",
        "InvalidInput",
        "MissingExtra",
        "ModelError",
        "PolicyError",
        "UnguardedUse",
    ),
    "inkguard.families": ("register_family",),
    "inkguard.guard": ("Guard",),
    "inkguard.manifests.manifest": ("Manifest",),
    "inkguard.policy.load": ("load_policy",),
    "inkguard.policy.model": ("Policy",),
    "inkguard.types": (
        "Action",
        "Decision",
        "Finding",
        "Method",
        "Result",
        "Request",
        "Rung",
        "Severity",
        "TextSpan",
        "Verification",
    ),
    "inkguard.verify.reader": ("Reader",),
}
_MODULE_OF = {name: module for module, names in _NAMES_OF.items() for name in names}


def __getattr__(name: str) -> Any:
    """The public name's object, from the module that defines it (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version(__name__)
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from inkguard.extras import needs_extra

    with needs_extra("draw", f"inkguard.{name}"):
        value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value  # from now on an ordinary attribute
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
