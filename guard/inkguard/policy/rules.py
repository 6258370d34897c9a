"""Rules over findings, and the exceptions to them."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from inkguard.match.fold import fold
from inkguard.policy.schema_types import (
    Category,
    Day,
    Fraction,
    Locale,
    OneOrMore,
    Optional,
    Placed,
    RuleName,
    Section,
    Text,
    wrong,
)
from inkguard.text import MappedText
from inkguard.types import Action, Finding, Severity

__all__ = [
    "Condition",
    "FindingInContext",
    "FindingSource",
    "PolicyException",
    "Rule",
    "ScoreRange",
    "SpanKind",
    "ranges_of_exception",
    "rule_matches",
]

_TOKEN = re.compile(r"[^\W_]+")


class SpanKind(enum.Enum):
    """Where a finding lies: in a span, by the span's cue, or in the rest of the prompt."""

    QUOTED = "quoted"
    UNQUOTED = "unquoted"
    OUTSIDE = "outside"


class FindingSource(enum.Enum):
    """What found it: word lists in the text as it stands, put together or reversed; the classifier."""

    WORDLIST = "wordlist"
    JOINED = "joined"
    REVERSED = "reversed"
    DETOXIFY = "detoxify"


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingInContext:
    """A finding with the action that its list or threshold asks for, and what else rules look at.

    `reading` is the matcher's. `cap` is the strictest action outside of spans, None where there is
    none. `locale` is that of the word list, None for lists without one and for the classifier.
    """

    finding: Finding
    kind: SpanKind
    locale: str | None = None
    reading: str = "plain"
    cap: Action | None = None


class ScoreRange(Section):
    """Scores from `at_least` to `at_most`, both included."""

    at_least: Fraction = Field(default=0.0, description="The lowest score that fits.")
    at_most: Fraction = Field(default=1.0, description="The highest one.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.at_least > self.at_most:
            raise wrong("at_least is more than at_most: no score fits")
        return self


class Condition(Section):
    """What a rule is for: all keys that are there must fit, each by one of its values."""

    category: OneOrMore[Category] = Field(
        default=frozenset(), description="The policy's own categories."
    )
    severity: OneOrMore[Severity] = Field(default=frozenset(), description="How bad the word is.")
    source: OneOrMore[FindingSource] = Field(
        default=frozenset(),
        description="What found it: word lists, also in text that was joined from pieces or reversed; or the classifier.",
    )
    span: OneOrMore[SpanKind] = Field(
        default=frozenset(), description="Where: in a quoted or unquoted span, or outside of spans."
    )
    locale: OneOrMore[Locale] = Field(default=frozenset(), description="That of a word list.")
    score: ScoreRange = Field(
        default=ScoreRange(), description="The classifier's score; findings of word lists have 1."
    )

    def fits(self, found: FindingInContext) -> bool:
        """Whether a finding is meant."""
        f = found.finding
        return (
            (not self.category or f.category in self.category)
            and (not self.severity or f.severity in self.severity)
            and (not self.source or FindingSource(f.source) in self.source)
            and (not self.span or found.kind in self.span)
            and (not self.locale or found.locale in self.locale)
            and self.score.at_least <= f.score <= self.score.at_most
        )

    def pairs(self, other: Condition) -> tuple[tuple[frozenset[Any], frozenset[Any]], ...]:
        """The sets of two conditions, key by key; an empty one is any."""
        keys = ("category", "severity", "source", "span", "locale")
        return tuple((getattr(self, key), getattr(other, key)) for key in keys)

    def includes(self, other: Condition) -> bool:
        """Whether everything that fits `other` fits this one too."""
        sets = all(not mine or (theirs and theirs <= mine) for mine, theirs in self.pairs(other))
        mine, theirs = self.score, other.score
        return sets and mine.at_least <= theirs.at_least and theirs.at_most <= mine.at_most


class Rule(Placed):
    """The action for the findings that a condition fits, in place of what their list asks for."""

    name: Text = Field(description="Stands once in a policy file; `explain` prints it.")
    when: Condition = Field(description="Which findings; `{}` is all of them.")
    action: Action = Field(description="What is done, whether stricter or milder than was asked.")


class PolicyException(Placed):
    """Findings that are let be until the end of a day (UTC), with whoever answers for it.

    It needs `text`, `rule` or both; where both are given, both must fit.
    """

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["text"]}, {"required": ["rule"]}]}
    )

    name: Text = Field(description="As you like; `explain` and `lint` print it.")
    owner: Text = Field(description="Who answers for it.")
    reason: Text = Field(description="Why it is there.")
    expires: Day = Field(description="The last day on which it holds, in UTC: 2027-01-31.")
    action: Action = Field(default=Action.ALLOW, description="Never stricter than what was asked.")
    text: Optional[Text] = Field(
        default=None, repr=False, description="Words that hold the finding."
    )
    rule: Optional[RuleName] = Field(
        default=None,
        description="What found it: insult, insult.mild, insult.mild#4f2a, detoxify or detoxify.insult.",
    )

    @field_validator("text")
    @classmethod
    def _has_words(cls, text: str | None) -> str | None:
        if text is not None and not any(map(str.isalnum, text)):
            raise wrong("the text needs a letter or digit")
        return text

    @model_validator(mode="after")
    def _is_about_something(self) -> Self:
        if self.text is None and self.rule is None:
            raise wrong("an exception needs text, rule or both")
        return self

    def fits(self, found: FindingInContext, ranges: Sequence[tuple[int, int]]) -> bool:
        """Whether a finding is meant; `ranges` are where `text` stands in the prompt."""
        f = found.finding
        if self.rule is not None and not rule_matches(self.rule, f.rule):
            return False
        return self.text is None or any(start <= f.start and f.end <= end for start, end in ranges)


def rule_matches(name: str, rule: str) -> bool:
    """Whether a finding's rule is `name`, or belongs to it: insult, insult.mild, insult.mild#4f2a."""
    return rule == name or (rule.startswith(name) and rule[len(name)] in ".#")


def ranges_of_exception(exception: PolicyException, folded: MappedText) -> list[tuple[int, int]]:
    """The half-open ranges of the original text in which an exception's text stands, as whole words."""
    return list(_ranges(exception.text, folded)) if exception.text is not None else []


def _ranges(text: str, folded: MappedText) -> Iterator[tuple[int, int]]:
    words = _TOKEN.findall(fold(text).text)
    pattern = r"[\W_]+".join(map(re.escape, words))
    for match in re.finditer(rf"(?<![^\W_]){pattern}(?![^\W_])", folded.text):
        yield folded.to_prompt(*match.span())
