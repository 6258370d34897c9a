"""What the classifier reads of a prompt, and what its scores find."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from inkguard.errors import ClassifierError
from inkguard.policy.model import Policy
from inkguard.policy.rules import SpanKind
from inkguard.types import TextSpan

__all__ = ["OverThreshold", "ScoringInput", "over_thresholds", "scoring_inputs"]

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ScoringInput:
    """A text to be scored, the half-open ranges of the prompt that it is made of, and their kinds."""

    text: str = field(repr=False)
    places: tuple[Place, ...]
    kinds: tuple[SpanKind, ...]


@dataclass(frozen=True, slots=True)
class OverThreshold:
    """A label whose score for a text is at its threshold or over it.

    `allowed` says that the text is a term of an allow list, so that the score finds nothing.
    """

    scored: ScoringInput
    label: str
    score: float
    allowed: bool


def scoring_inputs(
    policy: Policy, prompt: str, spans: Sequence[TextSpan]
) -> Iterator[ScoringInput]:
    """Each span; all of them joined, where there are several; the prompt, where the policy says so."""
    for span in spans:
        yield ScoringInput(span.text, ((span.start, span.end),), (SpanKind(span.cue),))
    if len(spans) > 1:
        places = tuple((s.start, s.end) for s in spans)
        kinds = tuple(SpanKind(s.cue) for s in spans)
        yield ScoringInput(" ".join(s.text for s in spans), places, kinds)
    if policy.whole_prompt.classifier and prompt.strip():
        yield ScoringInput(prompt, ((0, len(prompt)),), (SpanKind.OUTSIDE,))


def over_thresholds(
    policy: Policy, inputs: Sequence[ScoringInput], scores: Sequence[Mapping[str, float]]
) -> Iterator[OverThreshold]:
    """The labels over their thresholds, text by text.

    Joined spans add only labels that no span has by itself, the prompt only those that nothing else
    has. Raises ClassifierError for scores that cannot be those of these texts.
    """
    if len(scores) != len(inputs):
        raise ClassifierError(f"{len(scores)} scores for {len(inputs)} texts")
    seen: set[str] = set()
    for text, own in zip(inputs, scores, strict=True):
        one_span = len(text.places) == 1 and SpanKind.OUTSIDE not in text.kinds
        labels = list(_labels_over(policy, own))
        allowed = bool(labels) and policy.matcher.allows(text.text)
        for label in labels:
            if one_span or label not in seen:
                yield OverThreshold(text, label, float(own[label]), allowed)
        if not allowed:
            seen.update(labels)


def _labels_over(policy: Policy, scores: Mapping[str, float]) -> Iterator[str]:
    known = policy.detoxify.keys() & scores.keys()
    if policy.detoxify and not known:
        raise ClassifierError("the classifier has none of the labels that the policy reads")
    for label in sorted(known):
        score = float(scores[label])
        if not math.isfinite(score) or not 0 <= score <= 1:
            raise ClassifierError(f"the score for {label} is not a number from 0 to 1")
        if score >= policy.detoxify[label].threshold:
            yield label
