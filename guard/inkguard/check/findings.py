"""Findings: what word lists and the classifier's scores say of a prompt. Nothing is edited here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from inkguard.check.prompt_texts import PromptTexts
from inkguard.check.scoring import OverThreshold, over_thresholds
from inkguard.check.trace import DroppedMatch, DropReason, SearchedText, SearchResult
from inkguard.extract import Reassembly
from inkguard.match.fold import FoldedText
from inkguard.match.regexes import Pattern
from inkguard.match.terms import Entry, Matches, Matching
from inkguard.policy.apply import RuledFinding, ruled
from inkguard.policy.model import Policy
from inkguard.policy.rule_ids import list_rule_of
from inkguard.policy.rules import FindingInContext, SpanKind
from inkguard.types import Action, Finding

__all__ = ["find_with_context"]

# Words that are glued together or reversed may hold a stem by chance.
_MAX_EXTRA_LETTERS = 4

_Seen = FindingInContext | DroppedMatch
Place = tuple[int, int]


def find_with_context(
    policy: Policy, texts: PromptTexts, scores: Sequence[Mapping[str, float]] | None
) -> SearchResult:
    """The reasons to act on a prompt, in the order of the text, and what was seen and is no reason.

    `scores` holds one mapping from label to score for each of `texts.scoring_inputs`, or is None
    where no classifier ran. A finding's source is "wordlist", "joined" or "reversed" (a word list's, in
    another reading of the spans) or "detoxify". Raises `ClassifierError` for scores that cannot be
    those of these texts.
    """
    searched = tuple(_searched(policy, texts))
    seen: list[_Seen] = []
    for text in searched:
        if text.reassembly is None:
            seen += _as_it_stands(policy, texts, text)
        else:
            seen += _in_reassembly(policy, texts, text.matches, text.reassembly)
    if scores is not None:
        for over in over_thresholds(policy, texts.scoring_inputs, scores):
            seen += _over_threshold(policy, texts.prompt, over)
    found: dict[tuple[int, int, str], FindingInContext] = {}
    dropped: dict[tuple[int, int, str], DroppedMatch] = {}
    for one in seen:
        if isinstance(one, DroppedMatch):
            dropped.setdefault((one.start, one.end, one.rule), one)
        else:
            f = one.finding
            found.setdefault((f.start, f.end, f.rule), one)
    return SearchResult(
        ruled=tuple(sorted(ruled(policy, texts.folded.plain, list(found.values())), key=_in_order)),
        dropped=tuple(one for key, one in sorted(dropped.items()) if key not in found),
        searched=searched,
    )


def _in_order(one: RuledFinding) -> tuple[int, int, str, str]:
    f = one.finding
    return f.start, f.end, f.source, f.rule


def _searched(policy: Policy, texts: PromptTexts) -> Iterator[SearchedText]:
    """Each text that the word lists read, once: the spans, the reassemblies and the whole prompt."""
    match = policy.matcher.match
    for span in texts.spans:
        part = texts.folded.within(span.start, span.end)
        yield SearchedText(text=part, matches=match(part), span=span)
    for reassembly in texts.reassemblies:
        folded = FoldedText.of(reassembly.text.text)
        yield SearchedText(text=folded, matches=match(folded, exact=True), reassembly=reassembly)
    if _reads_outside(policy) or any(rule.everywhere for rule in policy.list_rules.values()):
        yield SearchedText(text=texts.folded, matches=match(texts.folded))


def _reads_outside(policy: Policy) -> bool:
    """Whether a term outside of spans can be a finding though its rule does not match everywhere."""
    named = any(SpanKind.OUTSIDE in rule.when.span for rule in policy.rules)
    strictest = policy.whole_prompt.strictest
    return policy.whole_prompt.check and (strictest is not Action.ALLOW or named)


class _Hit(NamedTuple):
    """What was matched at half-open offsets of the searched text, and the allowed term that spans it."""

    start: int
    end: int
    entry: Entry | Pattern
    reading: str
    allowed: str | None = None


def _hits(matches: Matches) -> Iterator[_Hit]:
    for match in matches.found:
        yield _Hit(match.start, match.end, match.entry, match.reading)
    for covered in matches.covered:
        match = covered.match
        yield _Hit(match.start, match.end, match.entry, match.reading, covered.allowed.term)


def _pattern_hits(policy: Policy, prompt: str, text: FoldedText) -> Iterator[_Hit]:
    for pattern in policy.patterns:
        for start, end in pattern.find(text):
            allowed = prompt[start:end] if policy.matcher.allows(prompt[start:end]) else None
            yield _Hit(start, end, pattern, "pattern", allowed)


def _as_it_stands(policy: Policy, texts: PromptTexts, text: SearchedText) -> Iterator[_Seen]:
    """What terms and regular expressions match in a span, or in the prompt where no span holds it.

    Outside of spans findings are capped, but for rules that match everywhere.
    """
    prompt, span = texts.prompt, text.span
    for hit in (*_hits(text.matches), *_pattern_hits(policy, prompt, text.text)):
        if span is None and any(s.start <= hit.start and hit.end <= s.end for s in texts.spans):
            continue
        place, entry = (hit.start, hit.end), hit.entry
        if hit.allowed is not None:
            yield _dropped(prompt[hit.start : hit.end], place, hit, DropReason.ALLOWED)
        elif span is not None:
            yield _finding(policy, prompt, place, hit, SpanKind(span.cue))
        elif entry.everywhere:
            yield _finding(policy, prompt, place, hit, SpanKind.OUTSIDE)
        elif _reads_outside(policy):
            cap = policy.whole_prompt.strictest
            yield _finding(policy, prompt, place, hit, SpanKind.OUTSIDE, cap=cap)
        else:
            yield _dropped(prompt[hit.start : hit.end], place, hit, DropReason.OUTSIDE)


def _in_reassembly(
    policy: Policy, texts: PromptTexts, matches: Matches, reassembly: Reassembly
) -> Iterator[_Seen]:
    """Terms that stand in pieces, or in reverse: one finding for the part in each span."""
    for hit in _hits(matches):
        said = reassembly.text.text[hit.start : hit.end]
        parts = reassembly.spans_in_prompt(hit.start, hit.end, texts.spans)
        why = None
        if hit.allowed is not None:
            why = DropReason.ALLOWED
        elif _is_longer_word(hit.entry, said):
            why = DropReason.LONGER_WORD
        elif not parts:
            why = DropReason.CHANCE
        if why is None:
            for place in parts:
                cue = next(s.cue for s in texts.spans if s.start <= place[0] < s.end)
                kind = SpanKind(cue)
                yield _finding(policy, texts.prompt, place, hit, kind, source=reassembly.kind)
        elif _says_more(reassembly, hit):
            place = (
                min(reassembly.text.starts[hit.start : hit.end]),
                max(reassembly.text.ends[hit.start : hit.end]),
            )
            yield _dropped(said, place, hit, why, source=reassembly.kind)


def _says_more(reassembly: Reassembly, hit: _Hit) -> bool:
    """Whether what was hit does not stand in one piece in the prompt, where it is seen anyway."""
    in_pieces = any(hit.start < seam < hit.end for seam in reassembly.text.seams)
    return in_pieces or reassembly.kind == "reversed"


def _is_longer_word(entry: Entry | Pattern, said: str) -> bool:
    """Whether a word that was put together holds a stem by chance: it has many more letters."""
    if not isinstance(entry, Entry) or entry.matching is not Matching.STEM:
        return False
    return _length(said) > _length(entry.term) + _MAX_EXTRA_LETTERS


def _length(text: str) -> int:
    """How many letters and digits there are, repeated ones counted once."""
    return sum(char.isalnum() for char, _ in groupby(text))


def _over_threshold(policy: Policy, prompt: str, over: OverThreshold) -> Iterator[_Seen]:
    """One for each range that the scored text is made of."""
    threshold, rule = policy.detoxify[over.label], f"detoxify.{over.label}"
    for (start, end), kind in zip(over.scored.places, over.scored.kinds, strict=True):
        text = prompt[start:end]
        if over.allowed:
            yield DroppedMatch(
                start=start,
                end=end,
                text=text,
                source="detoxify",
                rule=rule,
                reading="classifier",
                why=DropReason.ALLOWED,
            )
            continue
        cap = policy.whole_prompt.strictest if kind is SpanKind.OUTSIDE else None
        finding = Finding(
            start=start,
            end=end,
            text=text,
            source="detoxify",
            rule=rule,
            category=threshold.category,
            severity=threshold.severity,
            score=over.score,
            action=threshold.action if cap is None else min(threshold.action, cap),
        )
        yield FindingInContext(finding=finding, kind=kind, reading="classifier", cap=cap)


def _finding(
    policy: Policy,
    prompt: str,
    place: Place,
    hit: _Hit,
    kind: SpanKind,
    *,
    cap: Action | None = None,
    source: str = "wordlist",
) -> FindingInContext:
    (start, end), entry = place, hit.entry
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
    locale = policy.list_rules[list_rule_of(entry.rule)].locale
    return FindingInContext(finding=finding, kind=kind, locale=locale, reading=hit.reading, cap=cap)


def _dropped(
    text: str, place: Place, hit: _Hit, why: DropReason, *, source: str = "wordlist"
) -> DroppedMatch:
    return DroppedMatch(
        start=place[0],
        end=place[1],
        text=text,
        source=source,
        rule=hit.entry.rule,
        reading=hit.reading,
        why=why,
        term=hit.entry.term if isinstance(hit.entry, Entry) else None,
        allowed=hit.allowed,
    )
