"""`inkguard policy explain`: how a policy comes to its decision on one prompt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from inkguard.check.findings import look
from inkguard.check.scoring import Scored, scored_texts
from inkguard.cli.policy.common import (
    COLORS,
    Json,
    ListsOnly,
    PolicyOption,
    checker_for,
    offset,
    out,
    shown,
)
from inkguard.cli.policy.underline import Mark, marked
from inkguard.errors import InvalidInput
from inkguard.extract import extract, readings
from inkguard.match.fold import variants
from inkguard.policy.apply import Ruled
from inkguard.policy.load import Loaded, read_policy
from inkguard.policy.model import Mode, Policy
from inkguard.policy.rules import PolicyException, Rule
from inkguard.types import MAX_PROMPT, Action, Decision, TextSpan

__all__ = ["Explanation", "explain", "explained"]

_MOST_READINGS = 40


@dataclass(frozen=True, slots=True)
class Reading:
    """A text that the word lists read: where it comes from, and by which transform."""

    where: str
    how: str
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Every step of one decision; `scores` are those of `scored`, empty where no classifier ran."""

    spans: tuple[TextSpan, ...]
    left_out: tuple[TextSpan, ...]
    readings: tuple[Reading, ...]
    scored: tuple[Scored, ...]
    scores: tuple[dict[str, float], ...]
    ruled: tuple[Ruled, ...]
    decision: Decision


def explain(
    prompt: Annotated[str, typer.Argument(help="What to draw.", show_default=False)],
    policy: PolicyOption = None,
    lists_only: ListsOnly = False,
    svg: Annotated[
        Path | None, typer.Option(help="Write what is printed as a picture, too.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show each step from a prompt to its decision: what is read, how, what matched, which rule decided."""
    if len(prompt) > MAX_PROMPT:
        raise InvalidInput("prompt", f"at most {MAX_PROMPT} code points, got {len(prompt)}")
    loaded = read_policy(policy)
    found = explained(loaded.policy, prompt, lists_only)
    if as_json:
        print(json.dumps(_json(loaded.policy, found), ensure_ascii=False))
        return
    console = out() if svg is None else Console(highlight=False, record=True, width=120)
    _print(console, loaded, prompt, found)
    if svg is not None:
        console.save_svg(str(svg), title="inkguard policy explain")


def explained(policy: Policy, prompt: str, lists_only: bool = False) -> Explanation:
    """The steps, as the policy decides when it is enforced."""
    checker = checker_for(policy, lists_only)
    decision = checker.check(prompt)
    every = extract(prompt)
    spans = tuple(filter(policy.extraction.keeps, every))
    scored = scored_texts(checker.policy, prompt, spans)
    scores = checker.scores(scored)
    return Explanation(
        spans=spans,
        left_out=tuple(span for span in every if span not in spans),
        readings=tuple(_readings(prompt, spans)),
        scored=tuple(scored),
        scores=tuple(scores or ()),
        ruled=tuple(look(checker.policy, prompt, spans, scores)),
        decision=decision,
    )


def _readings(prompt: str, spans: Sequence[TextSpan]) -> list[Reading]:
    found = [
        Reading(offset(span.start, span.end), variant.how, variant.text)
        for span in spans
        for variant in variants(span.text)
    ]
    return found + [Reading("spans", r.kind, r.text) for r in readings(prompt, spans)]


def _print(console: Console, loaded: Loaded, prompt: str, found: Explanation) -> None:
    policy, decision = loaded.policy, found.decision
    console.print(
        shown(decision.action) + Text(f"  {decision.reason}", "default"),
        Text(f" (policy {policy.name} {policy.version}, {policy.digest[:12]})", style="dim"),
    )
    if policy.mode is Mode.SHADOW and decision.action > Action.FLAG:
        console.print("The policy is in shadow mode: the picture is drawn unchanged, and flagged.")
    _title(console, f"1 The prompt, {len(prompt)} code points")
    for line in marked(prompt, [*_span_marks(found), *_finding_marks(found)]):
        console.print(line, soft_wrap=True)
    _title(console, "2 Text to be drawn")
    for span in (*found.spans, *found.left_out):
        ignored = "  left out by the policy's extraction" if span in found.left_out else ""
        console.print(
            Text(f"  {offset(span.start, span.end):>9}  {span.cue:<9} {span.text}{ignored}")
        )
    if not found.spans and not found.left_out:
        console.print("  none")
    _title(console, "3 How it is read")
    for reading in found.readings[:_MOST_READINGS]:
        console.print(Text(f"  {reading.where:>9}  {reading.how:<11} {reading.text}"))
    if (more := len(found.readings) - _MOST_READINGS) > 0:
        console.print(f"  and {more} more")
    if found.scores:
        _title(console, "4 What the classifier says")
        _print_scores(console, policy, found)
    _title(console, "5 What was found, and which rule decided")
    _print_ruled(console, loaded, found)
    _title(console, "6 The decision")
    console.print(Text("  ") + _because(found))
    if decision.donor_prompt is not None:
        console.print(Text(f"  drawn instead: {decision.donor_prompt}"))


def _title(console: Console, text: str) -> None:
    console.print()
    console.print(text, style="bold")


def _span_marks(found: Explanation) -> list[Mark]:
    return [Mark(span.start, span.end, "dim", "~") for span in found.spans]


def _finding_marks(found: Explanation) -> list[Mark]:
    mildest_first = sorted(found.ruled, key=lambda r: r.finding.action)
    return [
        Mark(r.finding.start, r.finding.end, f"not dim {COLORS[str(r.finding.action)]}")
        for r in mildest_first
    ]


def _print_scores(console: Console, policy: Policy, found: Explanation) -> None:
    for text, scores in zip(found.scored, found.scores, strict=True):
        where = offset(*text.places[0]) if len(text.places) == 1 else "spans"
        line = Text(f"  {where:>9}  ")
        for label, score in scores.items():
            threshold = policy.detoxify.get(label)
            over = threshold is not None and score >= threshold.minimum
            limit = f"/{threshold.minimum:.2f}" if threshold is not None else ""
            line.append(f"{label} {score:.2f}{limit}  ", "bold red" if over else "dim")
        console.print(line)


def _print_ruled(console: Console, loaded: Loaded, found: Explanation) -> None:
    if not found.ruled:
        console.print("  nothing")
        return
    table = Table("where", "text", "reading", "rule", "severity", "asked", "decided by", "action")
    table.columns[3].no_wrap = True
    for r in found.ruled:
        f = r.finding
        reading = r.found.reading if f.source == "wordlist" else f"{f.source}, {r.found.reading}"
        table.add_row(
            offset(f.start, f.end),
            Text(f.text, COLORS[str(f.action)]),
            f"{f.score:.2f}" if f.source == "detoxify" else reading,
            Text(f"{f.rule}\n{_short(loaded.places.get(f.rule, ''))}".rstrip()),
            str(f.severity),
            shown(r.asked),
            Text(_by(r)),
            shown(f.action),
        )
    console.print(table)


def _short(place: str) -> str:
    """A place without its folders."""
    return place.rpartition("/")[2]


def _by(r: Ruled) -> str:
    if isinstance(r.by, Rule):
        return f"rule {r.by.name}\n{_short(r.by.place)}"
    if isinstance(r.by, PolicyException):
        return f"exception {r.by.name}, {r.by.owner}, to {r.by.expires}"
    capped = r.found.cap is not None
    return f"{r.found.kind.value}: at most {r.found.cap}" if capped else "its list"


def _because(found: Explanation) -> Text:
    decision = found.decision
    if decision.reason == "donor_rejected":
        return Text("block: no harmless text was found that is clean in every reading", "red")
    if decision.reason.endswith("_error"):
        return shown(decision.action) + Text(f": {decision.reason}")
    strictest = max((r.finding for r in found.ruled), key=lambda f: f.action, default=None)
    why = (
        f": the strictest of {len(found.ruled)}, {strictest.rule}"
        if strictest
        else ": nothing found"
    )
    return shown(decision.action) + Text(why)


def _json(policy: Policy, found: Explanation) -> dict[str, Any]:
    return {
        **found.decision.to_json(),
        "policy": {"name": policy.name, "version": policy.version, "digest": policy.digest},
        "mode": policy.mode.value,
        "reason": found.decision.reason,
        "spans": [{"start": s.start, "end": s.end, "cue": s.cue} for s in found.spans],
        "readings": [{"where": r.where, "how": r.how, "text": r.text} for r in found.readings],
        "scores": [{k: round(v, 4) for k, v in row.items()} for row in found.scores],
        "decided": [
            {
                "start": r.finding.start,
                "end": r.finding.end,
                "rule": r.finding.rule,
                "source": r.finding.source,
                "span": r.found.kind.value,
                "reading": r.found.reading,
                "asked": str(r.asked),
                "action": str(r.finding.action),
                "by": None if r.by is None else r.by.name,
            }
            for r in found.ruled
        ],
    }
