"""What the classifier reads of a prompt, and what its scores find."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from inkguard.errors import ClassifierError
from inkguard.policy.model import Policy
from inkguard.policy.rules import FindingInContext, SpanKind
from inkguard.types import Finding, TextSpan

__all__ = ["Scored", "scored_texts", "scores_find"]

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Scored:
    """A text to be scored, the half-open ranges of the prompt that it is made of, and their kinds."""

    text: str = field(repr=False)
    places: tuple[Place, ...]
    kinds: tuple[SpanKind, ...]


def scored_texts(policy: Policy, prompt: str, spans: Sequence[TextSpan]) -> list[Scored]:
    """Each span; all of them joined, where there are several; the prompt, where the policy says so."""
    texts = [Scored(s.text, ((s.start, s.end),), (SpanKind(s.cue),)) for s in spans]
    if len(spans) > 1:
        places = tuple((s.start, s.end) for s in spans)
        kinds = tuple(SpanKind(s.cue) for s in spans)
        texts.append(Scored(" ".join(s.text for s in spans), places, kinds))
    if policy.whole_prompt.classifier and prompt.strip():
        texts.append(Scored(prompt, ((0, len(prompt)),), (SpanKind.OUTSIDE,)))
    return texts


def scores_find(
    policy: Policy, prompt: str, texts: Sequence[Scored], scores: Sequence[Mapping[str, float]]
) -> Iterator[FindingInContext]:
    """Findings for labels over their thresholds: one for each range of a text.

    Joined spans add only labels that no span has by itself, the prompt only those that nothing else
    has. Raises ClassifierError for scores that cannot be those of these texts.
    """
    if len(scores) != len(texts):
        raise ClassifierError(f"{len(scores)} scores for {len(texts)} texts")
    seen: set[str] = set()
    for text, own in zip(texts, scores, strict=True):
        one_span = len(text.places) == 1 and SpanKind.OUTSIDE not in text.kinds
        labels = [label for label in _over(policy, text, own) if one_span or label not in seen]
        seen.update(labels)
        for label in labels:
            for place, kind in zip(text.places, text.kinds, strict=True):
                yield _found(policy, prompt, place, kind, label, float(own[label]))


def _over(policy: Policy, text: Scored, scores: Mapping[str, float]) -> Iterator[str]:
    known = policy.detoxify.keys() & scores.keys()
    if policy.detoxify and not known:
        raise ClassifierError("the classifier has none of the labels that the policy reads")
    for label in sorted(known):
        score = float(scores[label])
        if not math.isfinite(score) or not 0 <= score <= 1:
            raise ClassifierError(f"the score for {label} is not a number from 0 to 1")
        if score >= policy.detoxify[label].threshold and not policy.matcher.allows(text.text):
            yield label


def _found(
    policy: Policy, prompt: str, place: Place, kind: SpanKind, label: str, score: float
) -> FindingInContext:
    threshold = policy.detoxify[label]
    cap = policy.whole_prompt.strictest if kind is SpanKind.OUTSIDE else None
    finding = Finding(
        start=place[0],
        end=place[1],
        text=prompt[slice(*place)],
        source="detoxify",
        rule=f"detoxify.{label}",
        category=threshold.category,
        severity=threshold.severity,
        score=score,
        action=threshold.action if cap is None else min(threshold.action, cap),
    )
    return FindingInContext(finding=finding, kind=kind, reading="classifier", cap=cap)
