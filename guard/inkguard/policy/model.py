"""A policy as the guard uses it: read, checked and compiled."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from inkguard.frozen import FrozenDict, freeze
from inkguard.match.matcher import Entry, Matcher
from inkguard.match.regexes import Pattern
from inkguard.policy.rules import PolicyException, Rule
from inkguard.policy.schema import (
    Extraction,
    Lint,
    Match,
    Mode,
    OnError,
    PolicyTest,
    ReplacementStyle,
    Strategy,
    Threshold,
    WholePrompt,
)
from inkguard.types import Action, PolicyRef, Severity, VerifyWith

__all__ = [
    "ListRule",
    "Mode",
    "Policy",
    "ReplacementStyle",
    "Replacements",
    "Strategy",
    "WholePrompt",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRule:
    """What a word list asks for one group of its terms. `everywhere`: also outside of spans."""

    name: str
    category: str
    severity: Severity
    action: Action
    everywhere: bool = False
    locale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacements:
    """Harmless text by shape (words by length, phrases by the lengths of their words), and its choice."""

    words: Mapping[int, tuple[str, ...]]
    phrases: Mapping[tuple[int, ...], tuple[str, ...]]
    strategy: Strategy = field(default=Strategy(use=ReplacementStyle.SAME_LENGTH))
    categories: Mapping[str, Strategy] = FrozenDict()

    def __post_init__(self) -> None:
        freeze(self)

    def strategy_for(self, category: str) -> Strategy:
        """The category's own strategy, or the policy's."""
        return self.categories.get(category, self.strategy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that decides what happens to a prompt.

    `digest` is over all files read, which `files` names. `list_rules` are the word lists' rules by name and
    `terms` their terms, which `matcher` finds. What is named like a key of `inkguard.policy.schema.PolicyFile`
    is what all policy files together say of it.

    A policy can be pickled. What is compiled of it is made anew where it arrives: the shipped policy
    takes 1 MB, and half a second to load.
    """

    name: str
    version: str
    digest: str
    categories: Mapping[str, str]
    list_rules: Mapping[str, ListRule]
    detoxify: Mapping[str, Threshold]
    allow: tuple[str, ...] = field(repr=False)
    replacements: Replacements = field(repr=False)
    terms: tuple[Entry, ...] = field(repr=False)
    matcher: Matcher = field(repr=False, compare=False)
    patterns: tuple[Pattern, ...] = field(default=(), repr=False)
    compound_parts: tuple[str, ...] = field(default=(), repr=False)
    rules: tuple[Rule, ...] = ()
    match: Match = Match.FIRST
    exceptions: tuple[PolicyException, ...] = field(default=(), repr=False)
    mode: Mode = Mode.ENFORCE
    on_error: OnError = field(default=OnError())
    verify: bool = True
    verify_with: VerifyWith = VerifyWith.DEFAULT
    extraction: Extraction = field(default=Extraction())
    whole_prompt: WholePrompt = field(default=WholePrompt())
    tests: tuple[PolicyTest, ...] = field(default=(), repr=False)
    lint: Lint = field(default=Lint(), repr=False)
    files: tuple[Path, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        freeze(self)

    @property
    def ref(self) -> PolicyRef:
        """The policy's name, version and digest, as decisions carry them."""
        return PolicyRef(name=self.name, version=self.version, digest=self.digest)

    @property
    def match_first(self) -> bool:
        """Whether the first rule that fits a finding decides, and not the strictest."""
        return self.match is Match.FIRST

    @property
    def may_hit(self) -> frozenset[str]:
        """Harmless words, case folded, that lint lets terms hit."""
        return frozenset(word.casefold() for word in self.lint.may_hit)

    @property
    def uses_classifier(self) -> bool:
        """Whether any of the classifier's labels has a threshold."""
        return bool(self.detoxify)

    def exceptions_on(self, day: datetime.date) -> tuple[PolicyException, ...]:
        """The exceptions that hold on a day."""
        return tuple(e for e in self.exceptions if day <= e.expires)
