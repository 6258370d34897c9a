"""From findings to one action: a pure function."""

from __future__ import annotations

from collections.abc import Iterable

from guard.policy.model import Policy
from guard.types import Action, Finding

__all__ = ["decide"]


def decide(policy: Policy, findings: Iterable[Finding]) -> Action:
    """The strictest action that any finding asks for; `allow` without findings.

    A finding in a category that the policy does not know is another policy's: what it asks for is
    raised to the policy's `on_error`.
    """
    asked = [
        f.action if f.category in policy.categories else max(f.action, policy.on_error)
        for f in findings
    ]
    return max(asked, default=Action.ALLOW)
