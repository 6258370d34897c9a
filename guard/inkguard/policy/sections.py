"""The parts of a policy file, each from its node; what a file leaves open is `before`'s."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from inkguard.policy.model import (
    Extraction,
    OnError,
    PolicyTest,
    Threshold,
    WholePrompt,
)
from inkguard.policy.rule_ids import RuleIds
from inkguard.policy.rules import Condition, Kind, PolicyException, Rule, Source
from inkguard.policy.yaml_positions import Node
from inkguard.types import Action, Severity, VerifyWith

__all__ = [
    "RuleNames",
    "exceptions",
    "extraction",
    "may_hit",
    "on_error",
    "rules",
    "tests",
    "thresholds",
    "verify",
    "whole_prompt",
]

_NONE: frozenset[str] = frozenset()
_STAGES = ("extract", "lists", "classifier", "verify")


def verify(node: Node) -> tuple[bool, VerifyWith]:
    """Whether pictures are read back, and with which engines: `true`, `false` or `all`."""
    if node.is_scalar and node.scalar() == VerifyWith.ALL.value:
        return True, VerifyWith.ALL
    if not node.is_boolean:
        node.fail("expected true, false or all")
    return node.boolean(), VerifyWith.DEFAULT


def on_error(node: Node, before: OnError) -> OnError:
    """One action for all stages, or one for each. Nothing is known to substitute: not that."""
    if node.is_scalar:
        return OnError(**dict.fromkeys(_STAGES, _error_action(node)))
    fields = node.fields(required=_NONE, optional=frozenset(_STAGES))
    return replace(before, **{stage: _error_action(value) for stage, value in fields.items()})


def _error_action(node: Node) -> Action:
    action = node.choice(Action)
    if action is Action.SUBSTITUTE:
        node.fail("expected one of: allow, flag, block (an error does not say what to replace)")
    return action


def extraction(node: Node, before: Extraction) -> Extraction:
    fields = node.fields(required=_NONE, optional=frozenset(("quoted", "unquoted")))
    return replace(before, **{name: value.boolean() for name, value in fields.items()})


def whole_prompt(node: Node, before: WholePrompt) -> WholePrompt:
    names = ("check", "classifier", "strictest")
    fields = node.fields(required=_NONE, optional=frozenset(names))
    switches = {name: fields[name].boolean() for name in names[:2] if name in fields}
    return replace(
        before,
        **switches,
        strictest=fields["strictest"].choice(Action) if "strictest" in fields else before.strictest,
    )


def thresholds(node: Node, before: dict[str, Threshold], categories: Collection[str]) -> None:
    """Puts a file's thresholds over those of `before`; `null` takes a label out."""
    for label, value in node.items():
        if value.is_null:
            before.pop(label.known("label to take out", before), None)
            continue
        fields = value.fields(
            required=frozenset(("threshold", "category", "severity", "action")), optional=_NONE
        )
        before[label.string()] = Threshold(
            minimum=fields["threshold"].fraction(),
            category=fields["category"].known("category", categories),
            severity=fields["severity"].choice(Severity),
            action=fields["action"].choice(Action),
        )


def rules(node: Node, categories: Collection[str], locales: Collection[str]) -> list[Rule]:
    found: list[Rule] = []
    for item in node.list():
        fields = item.fields(required=frozenset(("name", "when", "action")), optional=_NONE)
        name = fields["name"].string()
        if any(rule.name == name for rule in found):
            fields["name"].fail("another rule has this name")
        found.append(
            Rule(
                name=name,
                when=_condition(fields["when"], categories, locales),
                action=fields["action"].choice(Action),
                place=item.place,
            )
        )
    return found


def _condition(node: Node, categories: Collection[str], locales: Collection[str]) -> Condition:
    known = frozenset(("category", "severity", "source", "span", "locale", "score"))
    fields = node.fields(required=_NONE, optional=known)
    values = {name: value.one_or_more() for name, value in fields.items() if name != "score"}
    least, most = 0.0, 1.0
    if "score" in fields:
        bounds = fields["score"].fields(required=_NONE, optional=frozenset(("at_least", "at_most")))
        least = bounds["at_least"].fraction() if "at_least" in bounds else least
        most = bounds["at_most"].fraction() if "at_most" in bounds else most
        if least > most:
            fields["score"].fail("at_least is more than at_most: no score fits")
    for name, nodes in values.items():
        if not nodes:
            fields[name].fail("expected at least one; leave the key out for any")
    return Condition(
        categories=frozenset(n.known("category", categories) for n in values.get("category", ())),
        severities=frozenset(n.choice(Severity) for n in values.get("severity", ())),
        sources=frozenset(n.choice(Source) for n in values.get("source", ())),
        kinds=frozenset(n.choice(Kind) for n in values.get("span", ())),
        locales=frozenset(n.known("locale", locales) for n in values.get("locale", ())),
        least=least,
        most=most,
    )


def exceptions(node: Node, names: RuleNames) -> list[PolicyException]:
    found: list[PolicyException] = []
    for item in node.list():
        fields = item.fields(
            required=frozenset(("name", "owner", "reason", "expires")),
            optional=frozenset(("text", "rule", "action")),
        )
        if not fields.keys() & {"text", "rule"}:
            item.fail("an exception needs text, rule or both")
        found.append(
            PolicyException(
                name=fields["name"].string(),
                owner=fields["owner"].string(),
                reason=fields["reason"].string(),
                expires=fields["expires"].date(),
                action=fields["action"].choice(Action) if "action" in fields else Action.ALLOW,
                text=_worded(fields["text"]) if "text" in fields else None,
                rule=names.named(fields["rule"]) if "rule" in fields else None,
                place=item.place,
            )
        )
    return found


def _worded(node: Node) -> str:
    text = node.string()
    if not any(map(str.isalnum, text)):
        node.fail("the text needs a letter or digit")
    return text


def tests(node: Node, categories: Collection[str], names: RuleNames) -> list[PolicyTest]:
    found = []
    for item in node.list():
        fields = item.fields(
            required=frozenset(("prompt", "action")), optional=frozenset(("category", "rule"))
        )
        found.append(
            PolicyTest(
                prompt=fields["prompt"].string(),
                actions=(fields["action"].choice(Action),),
                category=fields["category"].known("category", categories)
                if "category" in fields
                else None,
                rule=names.named(fields["rule"]) if "rule" in fields else None,
                place=item.place,
            )
        )
    return found


def may_hit(node: Node) -> list[str]:
    fields = node.fields(required=_NONE, optional=frozenset(("may_hit",)))
    words = fields["may_hit"].list() if "may_hit" in fields else []
    return [word.string().casefold() for word in words]


@dataclass(frozen=True, slots=True)
class RuleNames:
    """What exceptions and tests may call a rule: insult, insult.mild, insult.mild#4f2a, detoxify.insult.

    `held` are the ids of the entries that hold: not those of terms that another list replaces.
    """

    lists: Collection[str]
    labels: Collection[str]
    ids: RuleIds
    held: Collection[str]

    def named(self, node: Node) -> str:
        """The name that a node has, an id in the form that findings carry."""
        value = node.scalar()
        if (now := self.ids.now_at(value)) is not None:
            node.fail(
                "ids by position are no longer taken, since an edit of the list moves them; "
                f"at this position stands {now} now, which is the id to write if that term is meant"
            )
        candidates = self.ids.meant_by(value)
        if len(candidates) > 1:
            node.fail("several terms have ids that begin so: " + ", ".join(candidates))
        if candidates and candidates[0] in self.held:
            return candidates[0]
        groups = {name.partition(".")[0] for name in self.lists} | {*self.lists, "detoxify"}
        return node.known("rule", groups | {f"detoxify.{label}" for label in self.labels})
