"""A policy as the guard uses it: read, checked and compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from guard.classify.wordlist import Entry, WordLists
from guard.types import Action, PolicyRef, Severity, TextSpan

__all__ = ["Extraction", "Policy", "Replacements", "Rule", "Threshold", "WholePrompt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a word list asks for one group of its terms. `everywhere`: also outside of spans."""

    name: str
    category: str
    severity: Severity
    action: Action
    everywhere: bool = False


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
    """Whether word lists also read the prompt outside of spans, and the strictest action there.

    Rules that match everywhere do so in any case, with their own action.
    """

    check: bool = True
    strictest: Action = Action.FLAG


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacements:
    """Harmless text by shape: words by length, phrases by the lengths of their words."""

    words: Mapping[int, tuple[str, ...]]
    phrases: Mapping[tuple[int, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that decides what happens to a prompt. `digest` is over all files read."""

    name: str
    version: str
    digest: str
    categories: Mapping[str, str]
    rules: tuple[Rule, ...]
    detoxify: Mapping[str, Threshold]
    allow: tuple[str, ...] = field(repr=False)
    replacements: Replacements = field(repr=False)
    entries: tuple[Entry, ...] = field(repr=False)
    words: WordLists = field(repr=False, compare=False)
    on_error: Action = Action.BLOCK
    verify: bool = True
    extraction: Extraction = Extraction()
    whole_prompt: WholePrompt = WholePrompt()

    @property
    def ref(self) -> PolicyRef:
        """The policy's name and version, as decisions carry them."""
        return PolicyRef(name=self.name, version=self.version)

    @property
    def uses_classifier(self) -> bool:
        """Whether any of the classifier's labels has a threshold."""
        return bool(self.detoxify)
