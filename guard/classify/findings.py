"""Findings: what word lists and the classifier's scores say of a prompt. Nothing is edited here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from guard.classify.wordlist import Entry, Match
from guard.errors import ClassifierError
from guard.policy.model import Policy
from guard.types import Action, Finding, TextSpan

__all__ = ["find"]


def find(
    policy: Policy,
    prompt: str,
    spans: Sequence[TextSpan],
    toxicity_scores: Sequence[Mapping[str, float]] | None,
) -> tuple[Finding, ...]:
    """The reasons to act on a prompt, in the order of the text.

    `toxicity_scores` holds one mapping from label to score for each span, or is None where no
    classifier ran. Raises `ClassifierError` for scores that cannot be those of these spans.
    """
    found = [_of(prompt, m.start, m.end, m.entry) for m in _in_spans(policy, spans)]
    found += _across(policy, prompt, spans)
    found += _outside(policy, prompt, spans)
    if toxicity_scores is not None:
        found += _scored(policy, spans, toxicity_scores)
    unique = {(f.start, f.end, f.rule): f for f in found}
    return tuple(sorted(unique.values(), key=lambda f: (f.start, f.end, f.source, f.rule)))


def _of(prompt: str, start: int, end: int, entry: Entry, action: Action | None = None) -> Finding:
    return Finding(
        start=start,
        end=end,
        text=prompt[start:end],
        source="wordlist",
        rule=entry.rule,
        category=entry.category,
        severity=entry.severity,
        score=1.0,
        action=entry.action if action is None else action,
    )


def _in_spans(policy: Policy, spans: Sequence[TextSpan]) -> Iterator[Match]:
    for span in spans:
        yield from policy.words.find(span.text, span.start)


def _across(policy: Policy, prompt: str, spans: Sequence[TextSpan]) -> Iterator[Finding]:
    """Words and phrases split over neighbouring spans: one finding for the part in each span."""
    for left, right in pairwise(spans):
        cut = len(left.text)
        for glue in ("", " "):
            for match in policy.words.find(left.text + glue + right.text):
                if match.start < cut and match.end > cut + len(glue):
                    yield _of(prompt, left.start + match.start, left.end, match.entry)
                    end = right.start + match.end - cut - len(glue)
                    yield _of(prompt, right.start, end, match.entry)


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
