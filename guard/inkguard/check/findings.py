"""Findings: what word lists and the classifier's scores say of a prompt. Nothing is edited here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from inkguard.check.scoring import scored_texts, scores_find
from inkguard.extract import readings
from inkguard.match.matcher import Entry, Matching
from inkguard.match.regexes import Pattern
from inkguard.policy.apply import Ruled, ruled
from inkguard.policy.model import Policy
from inkguard.policy.rule_ids import list_rule_of
from inkguard.policy.rules import Found, Kind
from inkguard.types import Action, Finding, TextSpan

__all__ = ["find", "look"]

# Words that are glued together or reversed may hold a stem by chance.
_MORE = 4


def find(
    policy: Policy,
    prompt: str,
    spans: Sequence[TextSpan],
    toxicity_scores: Sequence[Mapping[str, float]] | None,
) -> tuple[Finding, ...]:
    """The reasons to act on a prompt, in the order of the text.

    `toxicity_scores` holds one mapping from label to score for each of `scored_texts`, or is None
    where no classifier ran. A finding's source is "wordlist", "joined" or "reversed" (a word list's, in
    another reading of the spans) or "detoxify". Raises `ClassifierError` for scores that cannot be
    those of these texts.
    """
    return tuple(seen.finding for seen in look(policy, prompt, spans, toxicity_scores))


def look(
    policy: Policy,
    prompt: str,
    spans: Sequence[TextSpan],
    toxicity_scores: Sequence[Mapping[str, float]] | None,
) -> list[Ruled]:
    """As `find`, with what decided each finding's action."""
    found = [*_in_spans(policy, prompt, spans), *_outside(policy, prompt, spans)]
    if toxicity_scores is not None:
        found += scores_find(policy, prompt, scored_texts(policy, prompt, spans), toxicity_scores)
    found += _read_otherwise(policy, prompt, spans)
    unique: dict[tuple[int, int, str], Found] = {}
    for one in found:
        unique.setdefault((one.finding.start, one.finding.end, one.finding.rule), one)
    everything = ruled(policy, prompt, list(unique.values()))
    return sorted(
        everything,
        key=lambda r: (r.finding.start, r.finding.end, r.finding.source, r.finding.rule),
    )


def _of(
    policy: Policy,
    prompt: str,
    place: tuple[int, int],
    entry: Entry | Pattern,
    kind: Kind,
    *,
    reading: str = "plain",
    cap: Action | None = None,
    source: str = "wordlist",
) -> Found:
    start, end = place
    finding = Finding(
        start=start,
        end=end,
        text=prompt[start:end],
        source=source,
        rule=entry.rule,
        category=entry.category,
        severity=entry.severity,
        score=1.0,
        action=entry.action if cap is None else min(entry.action, cap),
    )
    locale = policy.lists[list_rule_of(entry.rule)].locale
    return Found(finding=finding, kind=kind, locale=locale, reading=reading, cap=cap)


def _in_spans(policy: Policy, prompt: str, spans: Sequence[TextSpan]) -> Iterator[Found]:
    for span in spans:
        for place, entry, reading in _matches(policy, span.text, span.start):
            yield _of(policy, prompt, place, entry, Kind(span.cue), reading=reading)


def _matches(
    policy: Policy, text: str, offset: int = 0
) -> Iterator[tuple[tuple[int, int], Entry | Pattern, str]]:
    """Terms and regular expressions in a text, and in which reading of it."""
    for match in policy.words.find(text, offset):
        yield (match.start, match.end), match.entry, match.reading
    for pattern in policy.patterns:
        for start, end in pattern.find(text):
            if not policy.words.allows(text[start:end]):
                yield (start + offset, end + offset), pattern, "pattern"


def _read_otherwise(policy: Policy, prompt: str, spans: Sequence[TextSpan]) -> Iterator[Found]:
    """Terms that stand in pieces, or in reverse: one finding for the part in each span."""
    for reading in readings(prompt, spans):
        for match in policy.words.find(reading.text, exact=True):
            if match.entry.matching is Matching.STEM and (
                _length(reading.text[match.start : match.end]) > _length(match.entry.term) + _MORE
            ):
                continue
            for place in reading.parts(match.start, match.end, spans):
                cue = next(s.cue for s in spans if s.start <= place[0] < s.end)
                yield _of(
                    policy,
                    prompt,
                    place,
                    match.entry,
                    Kind(cue),
                    reading=match.reading,
                    source=reading.kind,
                )


def _length(text: str) -> int:
    """How many letters and digits there are, repeated ones counted once."""
    return sum(char.isalnum() for char, _ in groupby(text))


def _outside(policy: Policy, prompt: str, spans: Sequence[TextSpan]) -> Iterator[Found]:
    """Matches that no span holds: capped, but for rules that match everywhere."""
    cap = policy.whole_prompt.strictest
    named = any(Kind.OUTSIDE in rule.when.kinds for rule in policy.rules)
    checks = policy.whole_prompt.check and (cap is not Action.ALLOW or named)
    if not checks and not any(rule.everywhere for rule in policy.lists.values()):
        return
    for place, entry, reading in _matches(policy, prompt):
        if any(s.start <= place[0] and place[1] <= s.end for s in spans):
            continue
        if entry.everywhere or checks:
            most = None if entry.everywhere else cap
            yield _of(policy, prompt, place, entry, Kind.OUTSIDE, reading=reading, cap=most)
