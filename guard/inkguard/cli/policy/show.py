"""`inkguard policy show`: the policy that results from everything that it extends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer
import yaml
from rich.syntax import Syntax

from inkguard.cli.policy.common import Json, PolicyArgument, out
from inkguard.policy.load import Loaded, read_policy
from inkguard.policy.model import Policy, Strategy
from inkguard.policy.rule_ids import list_rule_of
from inkguard.policy.rules import Condition
from inkguard.types import VerifyWith

__all__ = ["effective", "show"]


def show(
    policy: PolicyArgument = None,
    terms: Annotated[
        bool, typer.Option("--terms", help="Also the terms, which are offensive words.")
    ] = False,
    as_json: Json = False,
) -> None:
    """The effective policy, after all that it extends, with its digest and files."""
    data = effective(read_policy(policy), terms)
    if as_json:
        print(json.dumps(data, ensure_ascii=False))
        return
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)
    console = out()
    if console.is_terminal:
        console.print(Syntax(text, "yaml", background_color="default", word_wrap=True))
    else:
        print(text, end="")


def effective(loaded: Loaded, terms: bool = False) -> dict[str, Any]:
    """The policy as plain data; terms are counted, or with `terms` listed by their rules."""
    policy = loaded.policy
    return {
        "name": policy.name,
        "version": policy.version,
        "digest": policy.digest,
        "extends": [str(path) for path in loaded.chain[1:]],
        "mode": policy.mode.value,
        "on_error": {
            stage: str(getattr(policy.on_error, stage))
            for stage in ("extract", "lists", "classifier", "verify")
        },
        "verify": "all"
        if policy.verify and policy.verify_with is VerifyWith.ALL
        else policy.verify,
        "extraction": {
            "quoted": policy.extraction.quoted,
            "unquoted": policy.extraction.unquoted,
        },
        "whole_prompt": {
            "check": policy.whole_prompt.check,
            "strictest": str(policy.whole_prompt.strictest),
        },
        "categories": dict(policy.categories),
        "wordlists": _lists(policy, terms),
        "allow": sorted(policy.allow) if terms else len(policy.allow),
        "compound_parts": len(policy.compound_parts),
        "detoxify": {
            label: {
                "threshold": t.minimum,
                "category": t.category,
                "severity": str(t.severity),
                "action": str(t.action),
            }
            for label, t in policy.detoxify.items()
        },
        "replacements": {
            "words": sum(map(len, policy.replacements.words.values())),
            "phrases": sum(map(len, policy.replacements.phrases.values())),
            "strategy": _strategy(policy.replacements.strategy),
            "categories": {
                name: _strategy(s) for name, s in policy.replacements.categories.items()
            },
        },
        "match": "first" if policy.first else "strictest",
        "rules": [
            {"name": r.name, "when": _condition(r.when), "action": str(r.action), "at": r.place}
            for r in policy.rules
        ],
        "exceptions": [
            {
                "name": e.name,
                "owner": e.owner,
                "reason": e.reason,
                "expires": e.expires.isoformat(),
                "action": str(e.action),
                **({"rule": e.rule} if e.rule is not None else {}),
                **({"text": e.text} if e.text is not None else {}),
                "at": e.place,
            }
            for e in policy.exceptions
        ],
        "tests": len(policy.tests),
        "files": [str(path) for path in policy.files],
    }


def _lists(policy: Policy, terms: bool) -> dict[str, Any]:
    held: dict[str, list[str]] = {name: [] for name in policy.lists}
    for entry in policy.entries:
        held[list_rule_of(entry.rule)].append(entry.term)
    for pattern in policy.patterns:
        held[list_rule_of(pattern.rule)].append(pattern.expression)
    return {
        name: {
            "severity": str(rule.severity),
            "action": str(rule.action),
            **({"everywhere": True} if rule.everywhere else {}),
            **({"locale": rule.locale} if rule.locale is not None else {}),
            "terms": held[name] if terms else len(held[name]),
        }
        for name, rule in policy.lists.items()
    }


def _strategy(strategy: Strategy) -> dict[str, Any]:
    return {
        "use": strategy.use.value,
        **({"words": list(strategy.words)} if strategy.words else {}),
        **({"glyph": strategy.glyph} if strategy.use.value == "mask" else {}),
    }


def _condition(when: Condition) -> dict[str, Any]:
    sets: Mapping[str, Any] = {
        "category": when.categories,
        "severity": {str(s) for s in when.severities},
        "source": {s.value for s in when.sources},
        "span": {k.value for k in when.kinds},
        "locale": when.locales,
    }
    found: dict[str, Any] = {name: sorted(values) for name, values in sets.items() if values}
    if (when.least, when.most) != (0.0, 1.0):
        found["score"] = {"at_least": when.least, "at_most": when.most}
    return found
