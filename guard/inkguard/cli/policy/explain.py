"""`inkguard policy explain`: how a policy comes to its decision on one prompt, and why not to another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from inkguard.check.scoring import ScoringInput
from inkguard.check.trace import CheckTrace, DonorAttempt, DroppedMatch, DropReason, TextReading
from inkguard.cli.policy.common import (
    COLORS,
    Json,
    ListsOnly,
    PolicyOption,
    checker_for,
    offset,
    out,
    save_picture,
    shown,
)
from inkguard.cli.policy.underline import Mark, marked
from inkguard.policy.apply import RuledFinding
from inkguard.policy.load import Loaded, read_policy
from inkguard.policy.model import Mode, Policy
from inkguard.policy.rules import PolicyException, Rule
from inkguard.types import Action, TextSpan

__all__ = ["explain"]

_MAX_READINGS = 40
_WHERE = 9  # columns of "start:end"
_WHY_NOT = {
    DropReason.ALLOWED: "the text as a whole is allowed",
    DropReason.CHANCE: "plain words only happen to read so",
    DropReason.LONGER_WORD: "a longer word, put together, only happens to hold it",
    DropReason.OUTSIDE: "it is outside of the text to be drawn, which the policy does not check",
}


def explain(
    prompt: Annotated[str, typer.Argument(help="What to draw.", show_default=False)],
    policy: PolicyOption = None,
    lists_only: ListsOnly = False,
    svg: Annotated[
        Path | None, typer.Option(help="Write what is printed as a picture, too.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show each step from a prompt to its decision: what is read, how, what matched, what decided, and what was let be."""
    loaded = read_policy(policy)
    trace = checker_for(loaded.policy, lists_only).trace(prompt)
    if as_json:
        print(json.dumps(_json(loaded, trace), ensure_ascii=False))
        return
    console = out() if svg is None else Console(highlight=False, record=True, width=120)
    _print(console, loaded, prompt, trace, lists_only)
    if svg is not None:
        save_picture(console, svg, "inkguard policy explain")


def _print(
    console: Console, loaded: Loaded, prompt: str, trace: CheckTrace, lists_only: bool
) -> None:
    policy, decision = loaded.policy, trace.decision
    console.print(
        shown(decision.action) + Text(f"  {decision.reason}", "default"),
        Text(f" (policy {policy.name} {policy.version}, {policy.digest[:12]})", style="dim"),
    )
    if policy.mode is Mode.SHADOW and decision.action > Action.FLAG:
        console.print("The policy is in shadow mode: the picture is drawn unchanged, and flagged.")
    _title(console, f"1 The prompt, {len(prompt)} code points")
    for line in marked(prompt, [*_span_marks(trace), *_finding_marks(trace)]):
        console.print(line, soft_wrap=True)
    _title(console, "2 Text to be drawn")
    _print_rows(console, _span_rows(trace))
    _title(console, "3 How it is read")
    _print_rows(console, _reading_rows(trace.search.readings()))
    _title(console, "4 What the classifier says")
    if trace.scores:
        _print_rows(console, _score_rows(policy, trace))
    else:
        console.print(f"  {_why_no_scores(policy, trace, lists_only)}")
    _title(console, "5 What was found, and what decided")
    _print_rows(console, (_finding_row(loaded, r) for r in trace.search.ruled))
    _title(console, "6 What was seen and let be")
    _print_rows(console, (_dropped_row(loaded, d) for d in trace.search.dropped))
    _title(console, "7 The decision")
    for text in _decision_lines(trace):
        console.print(Padding(text, (0, 0, 0, 2), expand=False))


def _title(console: Console, text: str) -> None:
    console.print()
    console.print(text, style="bold")


def _print_rows(console: Console, rows: Iterable[tuple[str | Text, ...]]) -> None:
    """Rows of a place, a label in some sections, and text. Words of the text are wrapped and never cut."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for row in rows:
        if not grid.columns:
            grid.add_column(min_width=_WHERE + 2, justify="right", no_wrap=True)
            for _ in row[1:-1]:
                grid.add_column(no_wrap=True)
            grid.add_column(overflow="fold")
        grid.add_row(*row)
    console.print(grid if grid.row_count else "  none")


def _span_marks(trace: CheckTrace) -> list[Mark]:
    return [Mark(span.start, span.end, "dim", "~") for span in trace.decision.spans]


def _finding_marks(trace: CheckTrace) -> list[Mark]:
    mildest_first = sorted(trace.search.findings, key=lambda f: f.action)
    return [Mark(f.start, f.end, f"not dim {COLORS[str(f.action)]}") for f in mildest_first]


def _span_rows(trace: CheckTrace) -> Iterator[tuple[str, ...]]:
    if trace.texts is None:
        return
    for span in trace.texts.spans:
        yield offset(span.start, span.end), span.cue, span.text
    for span in trace.texts.left_out:
        told = f"{span.text}  left out by the policy's extraction"
        yield offset(span.start, span.end), span.cue, told


def _reading_rows(readings: Iterable[TextReading]) -> Iterator[tuple[str, ...]]:
    """One for each reading of the prompt's own text, and one for each text that was put together."""
    rows: list[tuple[TextReading, list[str]]] = []
    for reading in readings:
        if reading.source == "wordlist" or reading.label == "plain":
            rows.append((reading, []))
        elif reading.label not in (also := rows[-1][1]):  # a disguise of what was put together
            also.append(reading.label)
    for reading, also in rows[:_MAX_READINGS]:
        text = reading.text + (f"  also {', '.join(also)}" if also else "")
        yield _where(reading), _how(reading.source, reading.label), text
    if (more := len(rows) - _MAX_READINGS) > 0:
        yield "", "", f"and {more} more"


def _where(reading: TextReading) -> str:
    if reading.start is None or reading.end is None:
        return "spans"
    return offset(reading.start, reading.end)


def _how(source: str, label: str) -> str:
    """In which reading: of the text as it stands, or of what was put together of it."""
    if source == "wordlist":
        return label
    return source if label == "plain" else f"{source}, {label}"


def _why_no_scores(policy: Policy, trace: CheckTrace, lists_only: bool) -> str:
    if lists_only:
        return "left out: --lists-only"
    if not policy.uses_classifier:
        return "the policy has no thresholds for it"
    if trace.decision.reason.endswith("_error"):
        return f"nothing: {trace.decision.reason}"
    return "nothing: there is no text for it to read"


def _score_rows(policy: Policy, trace: CheckTrace) -> Iterator[tuple[str, Text]]:
    inputs: tuple[ScoringInput, ...] = () if trace.texts is None else trace.texts.scoring_inputs
    for text, scores in zip(inputs, trace.scores, strict=True):
        line = Text()
        for label, score in scores.items():
            threshold = policy.detoxify.get(label)
            over = threshold is not None and score >= threshold.threshold
            limit = f"/{threshold.threshold:.2f}" if threshold is not None else ""
            # A label and its score stay on one line.
            line.append(
                f"{label}\N{NO-BREAK SPACE}{score:.2f}{limit}", "bold red" if over else "dim"
            )
            line.append("  ")
        yield offset(*text.places[0]) if len(text.places) == 1 else "spans", line


def _finding_row(loaded: Loaded, ruled: RuledFinding) -> tuple[str, Text]:
    f, color = ruled.finding, COLORS[str(ruled.finding.action)]
    how = _how(f.source, ruled.found.reading)
    read = f"scored {f.score:.2f}" if f.source == "detoxify" else f"read {how}"
    lines = (
        Text.assemble((f.text, color), f"  {read}"),
        Text(f"{_with_place(f.rule, loaded.places.get(f.rule))}, {f.severity}"),
        Text.assemble(
            "asked ", shown(ruled.asked), f", decided by {_by(ruled)}: ", shown(f.action)
        ),
    )
    return offset(f.start, f.end), Text("\n").join(lines)


def _by(ruled: RuledFinding) -> str:
    by = ruled.by
    if isinstance(by, Rule):
        return f"rule {_with_place(by.name, by.place)}"
    if isinstance(by, PolicyException):
        return f"exception {_with_place(by.name, by.place)}, {by.owner}, to {by.expires}"
    if ruled.found.cap is not None:
        return f"{ruled.found.kind.value}: at most {ruled.found.cap}"
    return "its threshold" if ruled.finding.source == "detoxify" else "its list"


def _dropped_row(loaded: Loaded, dropped: DroppedMatch) -> tuple[str, Text]:
    how = _how(dropped.source, dropped.reading)
    read = "scored over its threshold" if dropped.source == "detoxify" else f"read {how}"
    lines = [
        f"{dropped.text}  {read}",
        _with_place(dropped.rule, loaded.places.get(dropped.rule)),
        _why_not(loaded, dropped),
    ]
    if dropped.term is not None:
        lines[1] += f", the term {dropped.term}"
    return offset(dropped.start, dropped.end), Text("\n".join(lines))


def _why_not(loaded: Loaded, dropped: DroppedMatch) -> str:
    if dropped.allowed is None:
        return _WHY_NOT[dropped.why]
    place = loaded.allow_places.get(dropped.allowed)
    return f"covered by the allowed term {_with_place(dropped.allowed, place)}"


def _with_place(name: str, place: str | None) -> str:
    """A name, and the place in a policy file without its folders."""
    return f"{name} ({place.rpartition('/')[2]})" if place else name


def _decision_lines(trace: CheckTrace) -> Iterator[Text]:
    decision, findings = trace.decision, trace.search.findings
    if decision.reason == "donor_rejected":
        yield Text("block: no harmless text was found that is clean in every reading", "red")
    elif decision.reason.endswith("_error"):
        yield shown(decision.action) + Text(f": {decision.reason}")
    elif findings:
        strictest = max(findings, key=lambda f: f.action)
        yield shown(decision.action) + Text(f": the strictest of {len(findings)}, {strictest.rule}")
    else:
        yield shown(decision.action) + Text(": nothing found")
    for attempt in trace.donors:
        yield Text(_donor_line(attempt))


def _donor_line(attempt: DonorAttempt) -> str:
    if attempt.accepted:
        return f"drawn instead: {attempt.prompt}"
    rules = ", ".join(dict.fromkeys(f"{f.rule} ({f.source})" for f in attempt.findings))
    return f"tried and refused: {attempt.prompt}\n  found in it: {rules}"


def _json(loaded: Loaded, trace: CheckTrace) -> dict[str, Any]:
    policy, decision = loaded.policy, trace.decision
    left_out = () if trace.texts is None else trace.texts.left_out
    return {
        **decision.to_json(),
        "policy": {"name": policy.name, "version": policy.version, "digest": policy.digest},
        "mode": policy.mode.value,
        "reason": decision.reason,
        "spans": [_span_json(span) for span in decision.spans],
        "left_out": [_span_json(span) for span in left_out],
        "readings": [
            {"where": _where(r), "how": _how(r.source, r.label), "text": r.text}
            for r in trace.search.readings()
        ],
        "scores": [{k: round(v, 4) for k, v in row.items()} for row in trace.scores],
        "decided": [_ruled_json(ruled) for ruled in trace.search.ruled],
        "let_be": [_dropped_json(loaded, dropped) for dropped in trace.search.dropped],
        "donors": [
            {
                "prompt": attempt.prompt,
                "whole_spans": attempt.whole_spans,
                "accepted": attempt.accepted,
                "rules": [f.rule for f in attempt.findings],
            }
            for attempt in trace.donors
        ],
    }


def _span_json(span: TextSpan) -> dict[str, Any]:
    return {"start": span.start, "end": span.end, "cue": span.cue}


def _ruled_json(ruled: RuledFinding) -> dict[str, Any]:
    finding = ruled.finding
    return {
        "start": finding.start,
        "end": finding.end,
        "rule": finding.rule,
        "source": finding.source,
        "span": ruled.found.kind.value,
        "reading": ruled.found.reading,
        "asked": str(ruled.asked),
        "action": str(finding.action),
        "by": None if ruled.by is None else ruled.by.name,
    }


def _dropped_json(loaded: Loaded, dropped: DroppedMatch) -> dict[str, Any]:
    return {
        "start": dropped.start,
        "end": dropped.end,
        "text": dropped.text,
        "rule": dropped.rule,
        "source": dropped.source,
        "reading": dropped.reading,
        "why": str(dropped.why),
        "term": dropped.term,
        "allowed": dropped.allowed,
        "allowed_at": loaded.allow_places.get(dropped.allowed or ""),
    }
