"""The record of one check: every step from a prompt to its decision, kept by the pass that decides.

It quotes the prompt and the terms that were seen in it, so it belongs on a policy author's screen and not in
a log. `Checker.trace` returns it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from inkguard.check.prompt_texts import PromptTexts
from inkguard.extract import Reassembly
from inkguard.match.fold import FoldedText
from inkguard.match.terms import Matches
from inkguard.policy.apply import RuledFinding
from inkguard.types import Action, Decision, Finding, TextSpan

__all__ = [
    "CheckTrace",
    "DonorAttempt",
    "DropReason",
    "DroppedMatch",
    "SearchResult",
    "SearchedText",
    "TextReading",
]


class DropReason(enum.StrEnum):
    """Why something that was matched is no finding."""

    ALLOWED = "allowed"
    """A term of an allow list spans all of it."""
    CHANCE = "chance"
    """Plain words only happen to read so when they are put together or reversed."""
    LONGER_WORD = "longer word"
    """In text that was put together, a word holds the stem and many more letters."""
    OUTSIDE = "outside"
    """It is not in text to be drawn, and the policy does not read the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedMatch:
    """A match, or a score over its threshold, that is no finding.

    `start` and `end` are half-open offsets of the prompt. `text` is what was read there, which is not the
    prompt's own text where that was put together. `source`, `rule` and `reading` are as in a finding.
    `term` is the word list's, None for an expression or a score; `allowed` is the allow list's, where `why`
    is ALLOWED and a term, and not a text as a whole, is allowed.
    """

    start: int
    end: int
    text: str = field(repr=False)
    source: str
    rule: str
    reading: str
    why: DropReason
    term: str | None = field(default=None, repr=False)
    allowed: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedText:
    """One text that the word lists read, and what the matcher made of it.

    The text is a span, or a reassembly of spans, or with neither the whole prompt.
    """

    text: FoldedText = field(repr=False)
    matches: Matches = field(repr=False)
    span: TextSpan | None = None
    reassembly: Reassembly | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReading:
    """One way in which a text was read, whether or not anything was found in it.

    `start` and `end` are half-open offsets of the prompt, None where spans were put together. `source` is
    "wordlist" for text as it stands, "joined" or "reversed"; `label` names the disguise that was undone.
    """

    start: int | None
    end: int | None
    source: str
    label: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What word lists and the classifier's scores made of one prompt's texts.

    `ruled` are the findings in the order of the text, each with what decided its action. `searched` are
    the texts that the word lists read.
    """

    ruled: tuple[RuledFinding, ...] = ()
    dropped: tuple[DroppedMatch, ...] = ()
    searched: tuple[SearchedText, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings as the decision has them."""
        return tuple(ruled.finding for ruled in self.ruled)

    def readings(self) -> Iterator[TextReading]:
        """Every way in which the word lists read the prompt, in the order of `searched`, each once."""
        spans = [text.span for text in self.searched if text.span is not None]
        for text in self.searched:
            if text.reassembly is not None:
                yield from _readings_of(text.reassembly, text.matches)
                continue
            for r in text.matches.readings:
                inside = any(s.start <= r.start and r.end <= s.end for s in spans)
                if text.span is not None or not inside:
                    yield TextReading(
                        start=r.start, end=r.end, source="wordlist", label=r.label, text=r.text
                    )


def _readings_of(reassembly: Reassembly, matches: Matches) -> Iterator[TextReading]:
    """As it was put together, and with each disguise undone."""
    readings = [("plain", reassembly.text.text)]
    readings += ((r.label, r.text) for r in matches.readings if r.label != "plain")
    for label, text in readings:
        yield TextReading(start=None, end=None, source=reassembly.kind, label=label, text=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class DonorAttempt:
    """A donor prompt that was tried, and what the check of it said.

    `whole_spans` tells that all words of the spans were replaced. `findings` are those in the donor prompt.
    """

    prompt: str = field(repr=False)
    whole_spans: bool
    accepted: bool
    action: Action
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTrace:
    """How one decision came about.

    `texts` is None where extraction failed. `scores` holds one mapping from label to score for each of
    `texts.scoring_inputs`; it is empty where no classifier ran. Where a stage failed, what comes after it
    is empty, and `decision.reason` names the stage.

        >>> trace = load_checker().trace('a poster "DICK VAN DYKE"')
        >>> trace.decision.action
        <Action.ALLOW: 'allow'>
        >>> trace.search.dropped[0].allowed
        'dick van dyke'
    """

    decision: Decision
    texts: PromptTexts | None = None
    scores: tuple[Mapping[str, float], ...] = ()
    search: SearchResult = SearchResult()
    donors: tuple[DonorAttempt, ...] = ()
