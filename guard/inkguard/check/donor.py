"""The donor prompt: the same prompt with harmless words where the toxic ones were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from inkguard.check.prompt_texts import PromptTexts
from inkguard.policy.model import Policy, ReplacementStyle, Strategy
from inkguard.policy.replacement import letter_positions, one_word_for, replacement_for
from inkguard.types import Action, Finding

__all__ = ["donor_prompt"]

_SEAM = "\0"
_Range = tuple[int, int]


def donor_prompt(
    policy: Policy, texts: PromptTexts, findings: Iterable[Finding], *, whole_spans: bool = False
) -> str:
    """The prompt of `texts` with each text that is to be substituted replaced by harmless text.

    The policy's strategy for the strictest finding's category says how. Where only the classifier
    objects to a span, or with `whole_spans` anything does, all words of the span are replaced, and
    always where it is to be left blank. Deterministic; the caller checks the result again.
    """
    prompt = texts.prompt
    bad = [f for f in findings if f.action >= Action.SUBSTITUTE]
    whole = [f for f in bad if f.source not in ("detoxify", "joined")]
    ranges = [(f.start, f.end) for f in whole]
    for span in texts.spans:
        inside = [f for f in bad if f.start < span.end and span.start < f.end]
        words = [f for f in inside if f.source != "detoxify"]
        blank = any(_strategy(policy, [f]).use is ReplacementStyle.BLANK for f in inside)
        if inside and (whole_spans or blank or not words):
            ranges.append((span.start, span.end))
    merged = _merged(ranges)
    new = {(a, b): _replaced(policy, prompt[a:b], _within(bad, a, b)) for a, b in merged}
    for piece, text in _in_pieces(policy, texts, [f for f in bad if f.source == "joined"]).items():
        if not any(start < piece[1] and piece[0] < end for start, end in merged):
            new[piece] = text
    out: list[str] = []
    at = 0
    for start, end in sorted(new):
        # Nothing between two spaces leaves one of them.
        gap = not new[start, end] and prompt[start - 1 : start] == prompt[end : end + 1] == " "
        out += (prompt[at:start], new[start, end])
        at = end + gap
    return "".join((*out, prompt[at:]))


def _within(findings: Iterable[Finding], start: int, end: int) -> list[Finding]:
    return [f for f in findings if f.start < end and start < f.end]


def _strategy(policy: Policy, findings: Sequence[Finding]) -> Strategy:
    # What is there as it stands says more than what may be read into it.
    worst = max(findings, key=lambda f: (f.source == "wordlist", f.action, f.severity))
    return policy.replacements.strategy_for(worst.category)


def _replaced(policy: Policy, text: str, findings: Sequence[Finding]) -> str:
    return replacement_for(policy.replacements, _strategy(policy, findings), text)


def _in_pieces(
    policy: Policy, texts: PromptTexts, findings: Sequence[Finding]
) -> dict[_Range, str]:
    """Per piece of a term its part of one harmless word, which is laid over all of its pieces."""
    terms: dict[str, list[Finding]] = {}
    for f in findings:
        terms.setdefault(f.rule, []).append(f)
    new: dict[_Range, str] = {}
    for own in terms.values():
        strategy = _strategy(policy, own)
        places = sorted({(f.start, f.end) for f in own})
        free = [p for p in places if not any(p[0] < e and s < p[1] for s, e in new)]
        for row in _rows(free, max(policy.replacements.words)):
            old = [texts.encoder_view.text_of(*place) for place in row]
            text = _SEAM.join(old)
            laid: list[str] = []
            if letter_positions(text):
                laid = one_word_for(policy.replacements, strategy, text).split(_SEAM)
            if len(laid) != len(row):
                laid = [replacement_for(policy.replacements, strategy, piece) for piece in old]
            new |= zip(row, laid, strict=True)
    return new


def _rows(places: Iterable[_Range], longest: int) -> Iterator[list[_Range]]:
    """Neighbours that together are no longer than the longest word."""
    row: list[_Range] = []
    for place in places:
        if row and sum(end - start for start, end in (*row, place)) > longest:
            yield row
            row = []
        row.append(place)
    if row:
        yield row


def _merged(ranges: Iterable[_Range]) -> list[_Range]:
    merged: list[_Range] = []
    for start, end in sorted(ranges):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
