"""Findings: what word lists and the classifier's scores say of a prompt. Nothing is edited here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from guard.classify.wordlist import Entry, Match, Matching
from guard.errors import ClassifierError
from guard.extract import readings
from guard.policy.model import Policy
from guard.types import Action, Finding, TextSpan

__all__ = ["find"]

# Words that are glued together or reversed may hold a stem by chance.
_MORE = 4


def find(
    policy: Policy,
    prompt: str,
    spans: Sequence[TextSpan],
    toxicity_scores: Sequence[Mapping[str, float]] | None,
) -> tuple[Finding, ...]:
    """The reasons to act on a prompt, in the order of the text.

    `toxicity_scores` holds one mapping from label to score for each span, or is None where no
    classifier ran. A finding's source is "wordlist", "joined" or "reversed" (a word list's, in
    another reading of the spans) or "detoxify". Raises `ClassifierError` for scores that cannot be
    those of these spans.
    """
    found = [_of(prompt, m.start, m.end, m.entry) for m in _in_spans(policy, spans)]
    found += _outside(policy, prompt, spans)
    if toxicity_scores is not None:
        found += _scored(policy, spans, toxicity_scores)
    found += _read_otherwise(policy, prompt, spans)
    unique: dict[tuple[int, int, str], Finding] = {}
    for finding in found:
        unique.setdefault((finding.start, finding.end, finding.rule), finding)
    return tuple(sorted(unique.values(), key=lambda f: (f.start, f.end, f.source, f.rule)))


def _of(
    prompt: str,
    start: int,
    end: int,
    entry: Entry,
    action: Action | None = None,
    source: str = "wordlist",
) -> Finding:
    return Finding(
        start=start,
        end=end,
        text=prompt[start:end],
        source=source,
        rule=entry.rule,
        category=entry.category,
        severity=entry.severity,
        score=1.0,
        action=entry.action if action is None else action,
    )


def _in_spans(policy: Policy, spans: Sequence[TextSpan]) -> Iterator[Match]:
    for span in spans:
        yield from policy.words.find(span.text, span.start)


def _read_otherwise(policy: Policy, prompt: str, spans: Sequence[TextSpan]) -> Iterator[Finding]:
    """Terms that stand in pieces, or in reverse: one finding for the part in each span."""
    for reading in readings(prompt, spans):
        for match in policy.words.find(reading.text, exact=True):
            if match.entry.matching is Matching.STEM and (
                _length(reading.text[match.start : match.end]) > _length(match.entry.term) + _MORE
            ):
                continue
            for start, end in reading.parts(match.start, match.end, spans):
                yield _of(prompt, start, end, match.entry, source=reading.kind)


def _length(text: str) -> int:
    """How many letters and digits there are, repeated ones counted once."""
    return sum(char.isalnum() for char, _ in groupby(text))


def _outside(policy: Policy, prompt: str, spans: Sequence[TextSpan]) -> Iterator[Finding]:
    """Matches that no span holds: capped, but for rules that match everywhere."""
    cap = policy.whole_prompt.strictest
    checks = policy.whole_prompt.check and cap is not Action.ALLOW
    if not checks and not any(rule.everywhere for rule in policy.rules):
        return
    for match in policy.words.find(prompt):
        if any(s.start <= match.start and match.end <= s.end for s in spans):
            continue
        if match.entry.everywhere:
            yield _of(prompt, match.start, match.end, match.entry)
        elif checks:
            action = min(match.entry.action, cap)
            yield _of(prompt, match.start, match.end, match.entry, action)


def _scored(
    policy: Policy, spans: Sequence[TextSpan], toxicity_scores: Sequence[Mapping[str, float]]
) -> Iterator[Finding]:
    if len(toxicity_scores) != len(spans):
        raise ClassifierError(f"{len(toxicity_scores)} scores for {len(spans)} spans")
    for span, scores in zip(spans, toxicity_scores, strict=True):
        known = policy.detoxify.keys() & scores.keys()
        if policy.detoxify and not known:
            raise ClassifierError("the classifier has none of the labels that the policy reads")
        for label in sorted(known):
            score, threshold = float(scores[label]), policy.detoxify[label]
            if not math.isfinite(score) or not 0 <= score <= 1:
                raise ClassifierError(f"the score for {label} is not a number from 0 to 1")
            if score >= threshold.minimum and not policy.words.allows(span.text):
                yield Finding(
                    start=span.start,
                    end=span.end,
                    text=span.text,
                    source="detoxify",
                    rule=f"detoxify.{label}",
                    category=threshold.category,
                    severity=threshold.severity,
                    score=score,
                    action=threshold.action,
                )
