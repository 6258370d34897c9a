"""Rules over findings, and the exceptions to them."""

from __future__ import annotations

import datetime
import enum
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from inkguard.match.fold import fold
from inkguard.text import MappedText
from inkguard.types import Action, Finding, Severity

__all__ = ["Condition", "FindingInContext", "Kind", "PolicyException", "Rule", "Source", "covered"]

_TOKEN = re.compile(r"[^\W_]+")


class Kind(enum.Enum):
    """Where a finding lies: in a span, by the span's cue, or in the rest of the prompt."""

    QUOTED = "quoted"
    UNQUOTED = "unquoted"
    OUTSIDE = "outside"


class Source(enum.Enum):
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
    kind: Kind
    locale: str | None = None
    reading: str = "plain"
    cap: Action | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a rule is for; an empty set is any. Scores from `least` to `most`, both included."""

    categories: frozenset[str] = frozenset()
    severities: frozenset[Severity] = frozenset()
    sources: frozenset[Source] = frozenset()
    kinds: frozenset[Kind] = frozenset()
    locales: frozenset[str] = frozenset()
    least: float = 0.0
    most: float = 1.0

    def fits(self, found: FindingInContext) -> bool:
        """Whether a finding is meant."""
        f = found.finding
        return (
            (not self.categories or f.category in self.categories)
            and (not self.severities or f.severity in self.severities)
            and (not self.sources or Source(f.source) in self.sources)
            and (not self.kinds or found.kind in self.kinds)
            and (not self.locales or found.locale in self.locales)
            and self.least <= f.score <= self.most
        )

    def includes(self, other: Condition) -> bool:
        """Whether everything that fits `other` fits this one too."""
        pairs = (
            (self.categories, other.categories),
            (self.severities, other.severities),
            (self.sources, other.sources),
            (self.kinds, other.kinds),
            (self.locales, other.locales),
        )
        sets = all(not mine or (theirs and theirs <= mine) for mine, theirs in pairs)
        return sets and self.least <= other.least and other.most <= self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The action for the findings that a condition fits. `place` is file:line:column."""

    name: str
    when: Condition
    action: Action
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyException:
    """Findings that are let be until the end of a day (UTC), with whoever answers for it.

    `rule` begins the ids of the findings that are meant, and `text` holds them; where both are given,
    both must fit.
    """

    name: str
    owner: str
    reason: str
    expires: datetime.date
    action: Action = Action.ALLOW
    text: str | None = field(default=None, repr=False)
    rule: str | None = None
    place: str = field(default="", compare=False)

    def fits(self, found: FindingInContext, ranges: Sequence[tuple[int, int]]) -> bool:
        """Whether a finding is meant; `ranges` are where `text` stands in the prompt."""
        f = found.finding
        if self.rule is not None and not is_part(self.rule, f.rule):
            return False
        return self.text is None or any(start <= f.start and f.end <= end for start, end in ranges)


def is_part(name: str, rule: str) -> bool:
    """Whether a finding's rule is `name`, or belongs to it: insult, insult.mild, insult.mild#4f2a."""
    return rule == name or (rule.startswith(name) and rule[len(name)] in ".#")


def covered(exception: PolicyException, folded: MappedText) -> list[tuple[int, int]]:
    """The half-open ranges of the original text in which an exception's text stands, as whole words."""
    return list(_ranges(exception.text, folded)) if exception.text is not None else []


def _ranges(text: str, folded: MappedText) -> Iterator[tuple[int, int]]:
    words = _TOKEN.findall(fold(text).text)
    pattern = r"[\W_]+".join(map(re.escape, words))
    for match in re.finditer(rf"(?<![^\W_]){pattern}(?![^\W_])", folded.text):
        yield folded.to_prompt(*match.span())
