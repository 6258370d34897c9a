"""A policy as one policy file that says all of it, whatever it extends and whichever files it names."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from inkguard.match.matcher import Matching
from inkguard.policy.model import ListRule, Policy
from inkguard.policy.rule_ids import list_rule_of
from inkguard.policy.schema import API_VERSION, PolicyFile, ReplacementLists, TermGroup, WordList
from inkguard.policy.schema_types import Counted
from inkguard.types import VerifyWith

__all__ = ["effective"]

_LISTED = (*(matching.value for matching in Matching), "patterns")


def effective(policy: Policy, terms: bool = True) -> dict[str, Any]:
    """Every key of a policy file, as plain data, with all lists in place.

    Loaded, it is the same policy. Without `terms`, what may be offensive is counted. Terms that an
    organisation's list treats otherwise than the rest of the list stand in a rule of their own, called
    `house_severe_block`, as a word list says severity and action once for a rule.
    """
    placed = {
        "api_version": API_VERSION,
        "extends": None,
        "wordlists": tuple(_lists(policy)),
        "replacements": _replacements(policy),
        "allow": {"all": tuple(sorted(policy.allow))} if policy.allow else {},
        "verify": "all"
        if policy.verify and policy.verify_with is VerifyWith.ALL
        else policy.verify,
    }
    return {
        # A section of the policy is shown in full; what there are several of, as short as it can be written.
        field.alias or name: _field(
            field, placed.get(name, getattr(policy, name, None)), terms, brief=False
        )
        for name, field in PolicyFile.model_fields.items()
        if name != "extends"
    }


def _field(field: FieldInfo, value: Any, terms: bool, brief: bool = True) -> Any:
    if not terms and any(isinstance(m, Counted) for m in field.metadata):
        return sum(map(len, value.values())) if isinstance(value, Mapping) else len(value)
    return _plain(value, terms, brief)


def _plain(value: Any, terms: bool, brief: bool = True) -> Any:
    if isinstance(value, BaseModel):
        return {
            field.alias or name: _field(field, said, terms)
            for name, field in type(value).model_fields.items()
            if (said := getattr(value, name)) != field.get_default() or not brief
        }
    if isinstance(value, Mapping):
        return {key: _plain(said, terms) for key, said in value.items()}
    if isinstance(value, frozenset):
        return sorted(_plain(said, terms) for said in value)
    if isinstance(value, tuple):
        return [_plain(said, terms) for said in value]
    if isinstance(value, enum.Enum):
        return value.value
    return value.isoformat() if isinstance(value, datetime.date) else value


def _replacements(policy: Policy) -> ReplacementLists:
    held = policy.replacements
    return ReplacementLists(
        words=dict(held.words),
        phrases=tuple(phrase for phrases in held.phrases.values() for phrase in phrases),
        strategy=held.strategy,
        categories=dict(held.categories),
    )


def _lists(policy: Policy) -> Iterator[WordList]:
    groups = dict(_groups(policy))
    for category in policy.categories:
        rules = {
            rule.name.removeprefix(f"{category}.") + more: group
            for (rule, more), group in groups.items()
            if rule.category == category
        }
        if rules:
            yield WordList(category=category, rules=rules)


def _groups(policy: Policy) -> Iterator[tuple[tuple[ListRule, str], TermGroup]]:
    said: dict[tuple[ListRule, str], dict[str, Any]] = {}
    for term in policy.terms:
        rule = policy.list_rules[list_rule_of(term.rule)]
        own = (term.severity, term.action) == (rule.severity, rule.action)
        more = "" if own else f"_{term.severity}_{term.action}"
        asked = {"severity": term.severity, "action": term.action, "misspelled": term.misspelled}
        group = said.setdefault((rule, more), asked)
        group.setdefault(term.matching.value, []).append(term.term)
    for pattern in policy.patterns:
        rule = policy.list_rules[list_rule_of(pattern.rule)]
        group = said.setdefault((rule, ""), {"severity": rule.severity, "action": rule.action})
        group.setdefault("patterns", []).append(pattern.expression)
    for (rule, more), group in said.items():
        listed = {key: tuple(group[key]) for key in _LISTED if key in group}
        if rule.locale is not None:
            group["locale"] = rule.locale
        yield (rule, more), TermGroup(**{**group, **listed, "everywhere": rule.everywhere})
