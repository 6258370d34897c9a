"""From findings to one action: pure functions."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from inkguard.policy.model import Policy
from inkguard.policy.rules import (
    FindingInContext,
    PolicyException,
    Rule,
    SpanKind,
    ranges_of_exception,
)
from inkguard.text import MappedText
from inkguard.types import Action, Finding

__all__ = ["RuledFinding", "decide", "ruled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledFinding:
    """What was found, with the policy's action in its finding, and what decided that.

    `asked` is what the word list or threshold asks for; `by` is None where nothing else decided.
    """

    found: FindingInContext
    asked: Action
    by: Rule | PolicyException | None = None

    @property
    def finding(self) -> Finding:
        return self.found.finding


def ruled(
    policy: Policy,
    folded: MappedText,
    found: Sequence[FindingInContext],
    day: datetime.date | None = None,
) -> list[RuledFinding]:
    """Exceptions that hold on `day` (today in UTC), then rules, then what the list asks for.

    `folded` is the prompt's fold, in which the exceptions' texts are looked for.
    """
    exceptions: tuple[PolicyException, ...] = ()
    if found and policy.exceptions:
        exceptions = policy.exceptions_on(day or datetime.datetime.now(datetime.UTC).date())
    ranges = [ranges_of_exception(e, folded) for e in exceptions]
    return [_ruled(policy, f, list(zip(exceptions, ranges, strict=True))) for f in found]


def _ruled(
    policy: Policy,
    found: FindingInContext,
    exceptions: Sequence[tuple[PolicyException, Sequence[tuple[int, int]]]],
) -> RuledFinding:
    asked = found.finding.action
    by: Rule | PolicyException | None = next(
        (e for e, ranges in exceptions if e.fits(found, ranges)), None
    )
    action = asked
    if by is not None:
        action = min(by.action, asked)
    elif (rule := _rule(policy, found)) is not None:
        by, action = rule, rule.action
        if found.cap is not None and SpanKind.OUTSIDE not in rule.when.span:
            action = min(action, found.cap)
    if action is asked:
        return RuledFinding(found=found, asked=asked, by=by)
    changed = replace(found, finding=replace(found.finding, action=action))
    return RuledFinding(found=changed, asked=asked, by=by)


def _rule(policy: Policy, found: FindingInContext) -> Rule | None:
    fitting = (rule for rule in policy.rules if rule.when.fits(found))
    if policy.match_first:
        return next(fitting, None)
    return max(fitting, key=lambda rule: rule.action, default=None)


def decide(policy: Policy, findings: Iterable[Finding]) -> Action:
    """The strictest action that any finding asks for; `allow` without findings.

    A finding in a category that the policy does not know is another policy's: what it asks for is
    raised to the policy's `on_error` for lists.
    """
    asked = [
        f.action if f.category in policy.categories else max(f.action, policy.on_error.lists)
        for f in findings
    ]
    return max(asked, default=Action.ALLOW)
