"""Word lists: YAML files of the policy's own format, and an organisation's lists."""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from inkguard.match.matcher import Entry, Matching
from inkguard.match.regexes import Pattern
from inkguard.policy.imported_lists import Row, read_rows
from inkguard.policy.model import ListRule
from inkguard.policy.rule_ids import reads_like_an_id, term_digest
from inkguard.policy.schema import OrganisationList, TermGroup, WordList
from inkguard.policy.schema_types import meant
from inkguard.policy.term_table import Rank, TermTable
from inkguard.policy.yaml_positions import Mistakes, YamlNode
from inkguard.types import Action, Severity

__all__ = ["Lists"]

E = TypeVar("E", bound=enum.Enum)


@dataclass(frozen=True, slots=True)
class _Pattern:
    rule: ListRule
    expression: str
    digest: str
    place: str


@dataclass(slots=True)
class Lists:
    """What the word lists of all of a policy's files hold. Rules' names are `category.name`."""

    mistakes: Mistakes
    table: TermTable = field(init=False)
    rules: dict[str, ListRule] = field(default_factory=dict)
    _patterns: list[_Pattern] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.table = TermTable(self.mistakes)

    def take(self, said: WordList, root: YamlNode, layer: int) -> None:
        """A list in the policy's own format; `root` is where it stands."""
        rules = root.at(("rules",))
        for key, group in said.rules.items():
            node = rules.at((key,))
            at = rules.key(key) or root
            rule = self._new(at, key, said.category, group, group.locale or said.locale)
            for matching in Matching:
                terms = getattr(group, matching.value)
                nodes = node.at((matching.value,)).values() if terms else []
                for term, at in zip(terms, nodes, strict=True):
                    entry = _entry(rule, term, matching, misspelled=group.misspelled)
                    self.table.add(term, entry, at.place, (layer, Rank.OWN))
            expressions = group.patterns
            nodes = node.at(("patterns",)).values() if expressions else []
            for expression, at in zip(expressions, nodes, strict=True):
                self._pattern(rule, expression, at.place)

    def take_external(
        self,
        said: OrganisationList,
        spec: YamlNode,
        path: Path,
        data: bytes,
        categories: Collection[str] | None,
        layer: int,
    ) -> None:
        """A list in the format of `inkguard.policy.imported_lists`, with what `said` says of all its terms."""
        name, noted = said.name or path.stem, len(self.mistakes)
        own: dict[str, ListRule] = {}
        for row in read_rows(path, data, self.mistakes):
            category = self._known(row, categories) or said.category
            if category not in own:
                own[category] = self._new(spec, name, category, said)
            entry = _entry(
                own[category],
                row.term,
                self._choice(row, "match", Matching) or said.match,
                misspelled=said.misspelled,
                severity=self._choice(row, "severity", Severity),
                action=self._choice(row, "action", Action),
            )
            self.table.add(row.term, entry, row.place, (layer, Rank.ORGANISATION))
        if not own and len(self.mistakes) == noted:
            self.mistakes.add(spec.place, "the file named here holds no terms")

    def _new(
        self,
        at: YamlNode,
        key: str,
        category: str,
        said: TermGroup | OrganisationList,
        locale: str | None = None,
    ) -> ListRule:
        name = f"{category}.{key}"
        if reads_like_an_id(name):
            self.mistakes.add(
                at.place, "a rule's name must not look like the id of a term: leave # out"
            )
        if name in self.rules:
            self.mistakes.add(at.place, "another word list has a rule of this name")
        rule = ListRule(
            name=name,
            category=category,
            severity=said.severity,
            action=said.action,
            everywhere=said.everywhere,
            locale=locale or said.locale,
        )
        self.rules[name] = rule
        return rule

    def _pattern(self, rule: ListRule, expression: str, place: str) -> None:
        digest = term_digest("patterns", expression)
        for other in self._patterns:
            if (other.rule, other.digest) == (rule, digest):
                self.mistakes.add(place, f"this expression stands already at {other.place}")
                return
        self.table.ids.add(rule.name, digest)
        self._patterns.append(_Pattern(rule, expression, digest, place))

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

    def _known(self, row: Row, names: Collection[str] | None) -> str | None:
        value = row.more.get("category")
        if value is not None and names is not None and value not in names:
            self.mistakes.add(row.place, f"category: {meant(value, names, 'the policy has')}")
            return None
        return value

    def _choice(self, row: Row, column: str, kind: type[E]) -> E | None:
        value = row.more.get(column)
        if value is None:
            return None
        for member in kind:
            if member.value == value:
                return member
        names = [str(member.value) for member in kind]
        self.mistakes.add(row.place, f"{column}: {meant(value, names, 'expected one of')}")
        return None


def _entry(
    rule: ListRule,
    term: str,
    matching: Matching,
    *,
    misspelled: bool,
    severity: Severity | None = None,
    action: Action | None = None,
) -> Entry:
    """A term of a rule; a row's own severity and action go over those of the rule."""
    return Entry(
        term=term,
        rule=rule.name,
        category=rule.category,
        severity=severity or rule.severity,
        action=action or rule.action,
        matching=matching,
        everywhere=rule.everywhere,
        misspelled=misspelled,
        locale=rule.locale,
    )
