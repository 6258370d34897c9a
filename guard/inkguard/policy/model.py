"""A policy as the guard uses it: read, checked and compiled."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from inkguard.frozen import FrozenDict, freeze
from inkguard.match.matcher import Entry, Matcher
from inkguard.match.regexes import Pattern
from inkguard.policy.rules import PolicyException, Rule
from inkguard.types import Action, PolicyRef, Severity, TextSpan, VerifyWith

__all__ = [
    "Extraction",
    "ListRule",
    "Mode",
    "OnError",
    "Policy",
    "PolicyTest",
    "Replacements",
    "Strategy",
    "Threshold",
    "Use",
    "VerifyWith",
    "WholePrompt",
]


class Mode(enum.Enum):
    """Whether decisions are acted on, or only recorded."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


class Use(enum.Enum):
    """How harmless text is chosen for toxic text."""

    SAME_LENGTH = "same_length"
    FIXED = "fixed"
    MASK = "mask"
    BLANK = "blank"
    LOOK_ALIKE = "look_alike"


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
class Threshold:
    """What a score of `minimum` or more for a label of the classifier means."""

    minimum: float
    category: str
    severity: Severity
    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """Which kinds of spans count as text to be drawn."""

    quoted: bool = True
    unquoted: bool = True

    def keeps(self, span: TextSpan) -> bool:
        """Whether a span is of a kind that counts."""
        return self.quoted if span.cue == "quoted" else self.unquoted


@dataclass(frozen=True, slots=True, kw_only=True)
class WholePrompt:
    """Whether word lists also read the prompt outside of spans, whether the classifier reads all of
    it, and the strictest action there.

    Word lists' rules that match everywhere do so in any case, with their own action.
    """

    check: bool = True
    classifier: bool = False
    strictest: Action = Action.FLAG


@dataclass(frozen=True, slots=True, kw_only=True)
class OnError:
    """The action where a stage fails. `verify`: text that was read from a picture cannot be judged."""

    extract: Action = Action.BLOCK
    lists: Action = Action.BLOCK
    classifier: Action = Action.BLOCK
    verify: Action = Action.BLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One way to choose harmless text. `words` are for FIXED and SAME_LENGTH, `glyph` for MASK."""

    use: Use = Use.SAME_LENGTH
    words: tuple[str, ...] = ()
    glyph: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacements:
    """Harmless text by shape (words by length, phrases by the lengths of their words), and its choice."""

    words: Mapping[int, tuple[str, ...]]
    phrases: Mapping[tuple[int, ...], tuple[str, ...]]
    strategy: Strategy = Strategy()
    categories: Mapping[str, Strategy] = FrozenDict()

    def __post_init__(self) -> None:
        freeze(self)

    def strategy_for(self, category: str) -> Strategy:
        """The category's own strategy, or the policy's."""
        return self.categories.get(category, self.strategy)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTest:
    """A prompt and what the policy is to make of it: one of `actions`.

    `category` and `rule` are of one of the findings, where they are given; `rule` may be the beginning
    of its id. `place` is file:line, with the column in a policy.
    """

    prompt: str = field(repr=False)
    actions: tuple[Action, ...]
    category: str | None = None
    rule: str | None = None
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that decides what happens to a prompt.

    `digest` is over all files read, which `files` names. `lists` are the word lists' rules by name;
    `rules` are over findings, and with `first` the first one that fits decides, else the strictest.
    `may_hit` are harmless words, case folded, that lint lets terms hit.

    A policy can be pickled. What is compiled of it is made anew where it arrives: the shipped policy
    takes 1 MB, and half a second to load.
    """

    name: str
    version: str
    digest: str
    categories: Mapping[str, str]
    lists: Mapping[str, ListRule]
    detoxify: Mapping[str, Threshold]
    allow: tuple[str, ...] = field(repr=False)
    replacements: Replacements = field(repr=False)
    entries: tuple[Entry, ...] = field(repr=False)
    words: Matcher = field(repr=False, compare=False)
    patterns: tuple[Pattern, ...] = field(default=(), repr=False)
    compound_parts: tuple[str, ...] = field(default=(), repr=False)
    rules: tuple[Rule, ...] = ()
    first: bool = True
    exceptions: tuple[PolicyException, ...] = field(default=(), repr=False)
    mode: Mode = Mode.ENFORCE
    on_error: OnError = OnError()
    verify: bool = True
    verify_with: VerifyWith = VerifyWith.DEFAULT
    extraction: Extraction = Extraction()
    whole_prompt: WholePrompt = WholePrompt()
    tests: tuple[PolicyTest, ...] = field(default=(), repr=False)
    may_hit: frozenset[str] = field(default=frozenset(), repr=False)
    files: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        freeze(self)

    @property
    def ref(self) -> PolicyRef:
        """The policy's name, version and digest, as decisions carry them."""
        return PolicyRef(name=self.name, version=self.version, digest=self.digest)

    @property
    def uses_classifier(self) -> bool:
        """Whether any of the classifier's labels has a threshold."""
        return bool(self.detoxify)

    def exceptions_on(self, day: datetime.date) -> tuple[PolicyException, ...]:
        """The exceptions that hold on a day."""
        return tuple(e for e in self.exceptions if day <= e.expires)
