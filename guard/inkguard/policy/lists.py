"""Word lists: YAML files of the policy's own format, and an organisation's lists."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from inkguard.errors import PolicyError
from inkguard.match.matcher import Entry, Matching
from inkguard.match.regexes import Pattern, compiled
from inkguard.policy.imported_lists import Row, read_rows
from inkguard.policy.model import ListRule
from inkguard.policy.rule_ids import term_digest
from inkguard.policy.term_table import Rank, TermTable
from inkguard.policy.yaml_positions import Node, meant
from inkguard.types import Action, Severity

__all__ = ["Lists"]

E = TypeVar("E", bound=enum.Enum)
_RULE = frozenset(("everywhere", "locale", "misspelled", "patterns", *(m.value for m in Matching)))
_SHARED = frozenset(("severity", "action"))


@dataclass(frozen=True, slots=True)
class _Pattern:
    rule: ListRule
    expression: str
    digest: str
    place: str


@dataclass(slots=True)
class Lists:
    """What the word lists of all of a policy's files hold. Rules' names are `category.name`."""

    table: TermTable = field(default_factory=TermTable)
    rules: dict[str, ListRule] = field(default_factory=dict)
    _patterns: list[_Pattern] = field(default_factory=list)

    def take(self, root: Node, categories: Mapping[str, str], layer: int) -> None:
        """A list in the policy's own format."""
        fields = root.fields(
            required=frozenset(("category", "rules")), optional=frozenset(("locale",))
        )
        category = fields["category"].known("category", categories)
        locale = fields["locale"].string() if "locale" in fields else None
        for key, node in fields["rules"].items():
            parts = node.fields(required=_SHARED, optional=_RULE)
            rule = self._new(key, f"{category}.{key.string()}", category, parts)
            if rule.locale is None:
                rule = replace(rule, locale=locale)
            self.rules[rule.name] = rule
            misspelled = parts["misspelled"].boolean() if "misspelled" in parts else True
            terms = [(m, t) for m in Matching if m.value in parts for t in parts[m.value].list()]
            expressions = parts["patterns"].list() if "patterns" in parts else []
            if not terms and not expressions:
                node.fail("a rule needs terms")
            for matching, term in terms:
                text = term.string()
                entry = _entry(rule, text, matching, misspelled)
                self.table.add(text, entry, term.place, (layer, Rank.OWN))
            for expression in expressions:
                self._pattern(rule, expression)

    def take_external(
        self, spec: Node, path: Path, data: bytes, categories: Mapping[str, str], layer: int
    ) -> None:
        """A list in the format of `inkguard.policy.imported_lists`, with what `spec` says of all its terms."""
        fields = spec.fields(
            required=_SHARED | {"file", "category"},
            optional=frozenset(("name", "match", "locale", "everywhere", "misspelled")),
        )
        name = fields["name"].string() if "name" in fields else path.stem
        matching = fields["match"].choice(Matching) if "match" in fields else Matching.INFLECTED
        misspelled = fields["misspelled"].boolean() if "misspelled" in fields else True
        category = fields["category"].known("category", categories)
        own: dict[str, ListRule] = {}
        for row in read_rows(path, data):
            of = _known(row, "category", categories) or category
            if of not in own:
                own[of] = self._new(spec, f"{of}.{name}", of, fields)
                self.rules[own[of].name] = own[of]
            entry = replace(
                _entry(own[of], row.term, matching, misspelled),
                severity=_choice(row, "severity", Severity) or own[of].severity,
                action=_choice(row, "action", Action) or own[of].action,
                matching=_choice(row, "match", Matching) or matching,
            )
            self.table.add(row.term, entry, row.place, (layer, Rank.ORGANISATION))
        if not own:
            spec.fail("the file named here holds no terms")

    def _new(self, at: Node, name: str, category: str, fields: Mapping[str, Node]) -> ListRule:
        if name in self.rules:
            at.fail("another word list has a rule of this name")
        return ListRule(
            name=name,
            category=category,
            severity=fields["severity"].choice(Severity),
            action=fields["action"].choice(Action),
            everywhere=fields["everywhere"].boolean() if "everywhere" in fields else False,
            locale=fields["locale"].string() if "locale" in fields else None,
        )

    def _pattern(self, rule: ListRule, node: Node) -> None:
        expression = node.string()
        try:
            found = compiled(expression).search("")
        except ValueError as error:
            node.fail(f"RE2 refuses this expression: {error}")
        if found is not None:
            node.fail("this expression matches the empty text")
        digest = term_digest("patterns", expression)
        for other in self._patterns:
            if (other.rule, other.digest) == (rule, digest):
                node.fail(f"this expression stands already at {other.place}")
        self.table.ids.add(rule.name, digest)
        self._patterns.append(_Pattern(rule, expression, digest, node.place))

    @property
    def patterns(self) -> list[Pattern]:
        """The regular expressions of all lists, with their ids."""
        return [
            Pattern(
                expression=p.expression,
                rule=self.table.ids.id_of(p.rule.name, p.digest),
                category=p.rule.category,
                severity=p.rule.severity,
                action=p.rule.action,
                everywhere=p.rule.everywhere,
            )
            for p in self._patterns
        ]

    @property
    def places(self) -> dict[str, str]:
        """Where each term and expression stands, by its id."""
        ids = self.table.ids
        of_patterns = {ids.id_of(p.rule.name, p.digest): p.place for p in self._patterns}
        return {**self.table.places, **of_patterns}


def _entry(rule: ListRule, term: str, matching: Matching, misspelled: bool) -> Entry:
    return Entry(
        term=term,
        rule=rule.name,
        category=rule.category,
        severity=rule.severity,
        action=rule.action,
        matching=matching,
        everywhere=rule.everywhere,
        misspelled=misspelled,
        locale=rule.locale,
    )


def _known(row: Row, column: str, names: Mapping[str, str]) -> str | None:
    value = row.more.get(column)
    if value is not None and value not in names:
        raise PolicyError(f"{row.place}: {column}: {meant(value, names, 'the policy has')}")
    return value


def _choice(row: Row, column: str, kind: type[E]) -> E | None:
    value = row.more.get(column)
    if value is None:
        return None
    for member in kind:
        if member.value == value:
            return member
    names = [str(member.value) for member in kind]
    raise PolicyError(f"{row.place}: {column}: {meant(value, names, 'expected one of')}")
