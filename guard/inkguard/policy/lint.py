"""What is wrong with a policy although it loads."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from inkguard.match.matcher import Entry
from inkguard.match.regexes import Pattern
from inkguard.policy.false_positives import hits
from inkguard.policy.load import Loaded
from inkguard.policy.model import Policy
from inkguard.policy.rule_ids import list_rule_of
from inkguard.policy.rules import Condition, FindingSource, Rule, ScoreRange, SpanKind
from inkguard.types import Action, Severity

__all__ = ["Level", "Problem", "problems"]

_SOON = datetime.timedelta(days=30)
_COSTLY = 1000
"""Instructions of an RE2 program; a plain word has some ten."""


class Level(enum.Enum):
    """How bad a problem is; notes need nothing done."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. `text` quotes no term; `place` is file:line:column."""

    level: Level
    kind: str
    place: str
    text: str


def problems(
    loaded: Loaded, harmless: Path | None = None, today: datetime.date | None = None
) -> list[Problem]:
    """All problems, by kind; `harmless` is a file of more words that no term may hit."""
    policy = loaded.policy
    today = today or datetime.datetime.now(datetime.UTC).date()
    return [
        *_rules(policy),
        *_exceptions(policy, today),
        *_twice(loaded),
        *_shadowed(loaded),
        *_regexes(loaded),
        *_harmless(loaded, harmless),
        *_unused(loaded),
    ]


def _rules(policy: Policy) -> Iterator[Problem]:
    possible = list(_possible(policy))
    for number, rule in enumerate(policy.rules):
        if not any(_overlap(rule.when, other) for other in possible):
            text = f"rule {rule.name}: no finding of this policy fits"
            yield Problem(Level.ERROR, "unreachable rules", rule.place, text)
            continue
        for other in policy.rules[:number] if policy.match_first else policy.rules:
            if other is not rule and _hides(policy, other, rule):
                why = "before it" if policy.match_first else "at least as strict"
                text = f"rule {rule.name}: rule {other.name}, {why}, fits all that it fits"
                yield Problem(Level.ERROR, "unreachable rules", rule.place, text)
                break


def _hides(policy: Policy, other: Rule, rule: Rule) -> bool:
    if not other.when.includes(rule.when):
        return False
    if policy.match_first or other.action > rule.action:
        return True
    same = other.action is rule.action
    return same and (not rule.when.includes(other.when) or _before(policy, other, rule))


def _before(policy: Policy, one: Rule, other: Rule) -> bool:
    return policy.rules.index(one) < policy.rules.index(other)


def _possible(policy: Policy) -> Iterator[Condition]:
    """What findings there can be, as narrow conditions."""
    drawn = {SpanKind(kind) for kind in ("quoted", "unquoted") if getattr(policy.extraction, kind)}
    terms = {
        (e.category, e.severity, e.everywhere, policy.list_rules[list_rule_of(e.rule)].locale)
        for e in _terms(policy)
    }
    in_pieces = (FindingSource.WORDLIST, FindingSource.JOINED, FindingSource.REVERSED)
    for category, severity, everywhere, locale in terms:
        outside = {SpanKind.OUTSIDE} if everywhere or policy.whole_prompt.check else set()
        for source, kind in product(in_pieces, drawn | outside):
            if source is FindingSource.WORDLIST or kind is not SpanKind.OUTSIDE:
                yield _narrow(category, severity, source, kind, locale, at_least=1.0)
    for threshold, kind in product(policy.detoxify.values(), drawn):
        yield _narrow(
            threshold.category,
            threshold.severity,
            FindingSource.DETOXIFY,
            kind,
            at_least=threshold.threshold,
        )


def _narrow(
    category: str,
    severity: Severity,
    source: FindingSource,
    span: SpanKind,
    locale: str | None = None,
    *,
    at_least: float,
) -> Condition:
    said: dict[str, Any] = {"category": category, "severity": severity, "source": source}
    if locale is not None:
        said["locale"] = locale
    return Condition(**said, span=frozenset((span,)), score=ScoreRange(at_least=at_least))


def _overlap(when: Condition, finding: Condition) -> bool:
    """Whether a rule fits some of the findings that a narrow condition stands for."""
    sets = all(not asked or asked & has for asked, has in when.pairs(finding))
    mine, theirs = when.score, finding.score
    return sets and max(mine.at_least, theirs.at_least) <= min(mine.at_most, theirs.at_most)


def _exceptions(policy: Policy, today: datetime.date) -> Iterator[Problem]:
    for e in policy.exceptions:
        if e.expires < today:
            text = f"exception {e.name} ended on {e.expires}: ask {e.owner}, or take it out"
            yield Problem(Level.ERROR, "expired exceptions", e.place, text)
        elif e.expires - today <= _SOON:
            text = f"exception {e.name} ends on {e.expires}: ask {e.owner}"
            yield Problem(Level.NOTE, "exceptions that end soon", e.place, text)


def _twice(loaded: Loaded) -> Iterator[Problem]:
    for replaced in loaded.replaced:
        rule, other = replaced.rule or "allowed", replaced.other_rule or "allowed"
        text = f"{rule} holds for a term that is {other} at {_short(replaced.other)}"
        yield Problem(Level.NOTE, "terms that stand twice", replaced.place, text)


def _shadowed(loaded: Loaded) -> Iterator[Problem]:
    """Terms that are not found even as they stand: another one says at least as much, or all of it is allowed."""
    policy = loaded.policy
    for entry in policy.terms:
        found = policy.matcher.find(entry.term)
        if any(match.entry.rule == entry.rule for match in found):
            continue
        place = loaded.places[entry.rule]
        if not found:
            text = f"{entry.rule} is never found: words of the allow-list cover it"
            yield Problem(Level.WARNING, "terms that are never found", place, text)
            continue
        other = found[0].entry.rule
        text = f"{entry.rule} adds nothing to {other} at {_short(loaded.places[other])}"
        yield Problem(Level.NOTE, "shadowed terms", place, text)


def _regexes(loaded: Loaded) -> Iterator[Problem]:
    for pattern in loaded.policy.patterns:
        if pattern.cost > _COSTLY:
            text = (
                f"{pattern.rule} is a program of {pattern.cost} instructions (more than {_COSTLY})"
            )
            yield Problem(Level.WARNING, "regex cost", loaded.places[pattern.rule], text)


def _harmless(loaded: Loaded, more: Path | None) -> Iterator[Problem]:
    for hit in hits(loaded.policy, more):
        text = f'{hit.rule} hits "{hit.word}" ({hit.group}, read {hit.reading})'
        yield Problem(Level.WARNING, "terms that hit harmless words", loaded.places[hit.rule], text)


def _unused(loaded: Loaded) -> Iterator[Problem]:
    policy = loaded.policy
    used = {e.category for e in _terms(policy)}
    used |= {t.category for t in policy.detoxify.values()}
    place = f"{loaded.chain[0]}:1:1"
    for category in policy.categories:
        if category not in used:
            text = f"category {category}: no term and no label is of it"
            yield Problem(Level.WARNING, "unused categories", place, text)
    if policy.whole_prompt.check and policy.whole_prompt.strictest is Action.BLOCK:
        text = "whole_prompt: block stops prompts for words that nothing would draw"
        yield Problem(Level.NOTE, "strict outside of text", place, text)
    if not policy.tests:
        yield Problem(Level.NOTE, "tests", place, "the policy has no tests of its own")


def _terms(policy: Policy) -> Iterator[Entry | Pattern]:
    yield from policy.terms
    yield from policy.patterns


def _short(place: str) -> str:
    return place.rpartition("/")[2]
