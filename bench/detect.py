"""What the guard finds, beside other filters: `python bench/detect.py [--no-peers] [--timed 300]`.

Reads tests/data/detect.jsonl and prints, as Markdown tables (docs/results/detection.md):

1. recall and false positives per class, for inkguard's lists alone, its lists and the embedded
   classifier ("flagged": substitute or block), and better-profanity, alt-profanity-check and
   obscenity, which get the spans that inkguard extracts ("spans") or the whole prompt ("whole");
2. the same for the texts alone, without a prompt around them;
3. milliseconds and prompts a second for prompts of 200 characters.

Writes out/bench/detect.json with the counts and the ids, never the texts, of what each one got wrong.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from detect_peers import Peer, prepare
from detect_tables import alone_table, class_tables, group_of, group_table, slice_table, speed_table

from inkguard.check.checker import Checker
from inkguard.extract import extract
from inkguard.policy.load import load_policy
from inkguard.process import own_process
from inkguard.score.detoxify import ToxicityClassifier
from inkguard.types import Action

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data" / "detect.jsonl"
OUT = ROOT / "out" / "bench"
BATCH, LENGTH, ROUNDS = 64, 200, 3
PADDING = (
    ", golden hour, a quiet street in an old town, tall windows, warm light on wet stones, a bicycle "
    "leaning against a fence, birds in the sky, highly detailed, shallow depth of field, 35mm photo, "
    "muted colours, soft shadows, clouds over the hills, a tree in bloom"
)
Row = dict[str, Any]
Hits = dict[str, dict[str, bool]]
Times = list[tuple[float, float]]


def ours(checker: Checker, rows: list[Row]) -> tuple[dict[str, bool], dict[str, bool]]:
    """Per id whether the prompt, and whether its text alone, is substituted or blocked."""
    stopped = (Action.SUBSTITUTE, Action.BLOCK)
    prompts: dict[str, bool] = {}
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        decisions = checker.check_many([row["prompt"] for row in batch])
        prompts |= {r["id"]: d.action in stopped for r, d in zip(batch, decisions, strict=True)}
    alone = {r["id"]: checker.check_reading(r["text"]) in stopped for r in rows if r["text"]}
    return prompts, alone


def theirs(peer: Peer, rows: list[Row]) -> tuple[Hits, dict[str, bool]]:
    """Per feed and id whether a prompt is flagged, and per id whether its text alone is."""
    spans = {row["id"]: [span.text for span in extract(row["prompt"])] for row in rows}
    texts = [row["prompt"] for row in rows] + [row["text"] for row in rows]
    flagged = peer.flags(texts + [text for found in spans.values() for text in found])
    prompts = {
        f"{peer.name}, spans": {i: any(flagged[t] for t in found) for i, found in spans.items()},
        f"{peer.name}, whole": {row["id"]: flagged[row["prompt"]] for row in rows},
    }
    return prompts, {row["id"]: flagged[row["text"]] for row in rows if row["text"]}


def timed_prompts(rows: list[Row], count: int) -> list[str]:
    """Prompts of exactly 200 characters, no two the same, toxic and harmless in turn."""
    short = [row for row in rows if len(row["prompt"]) < LENGTH - 20 and row["text"]]
    by_label = [[r["prompt"] for r in short if r["label"] == x] for x in ("toxic", "harmless")]
    # Evenly over the classes, which stand one after the other in the file.
    picks = [[p[n] for n in np.linspace(0, len(p) - 1, count // 2).astype(int)] for p in by_label]
    mixed = [prompt for pair in zip(*picks, strict=True) for prompt in pair]
    order = np.random.default_rng(1).permutation(len(mixed))
    return [(mixed[n] + PADDING)[:LENGTH] for n in order]


def time_calls(call: Callable[[str], object], texts: Iterable[str]) -> Times:
    """Milliseconds by the clock and of the processor for each call."""
    times = []
    for text in texts:
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        call(text)
        cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
        times.append((wall / 1e6, cpu / 1e6))
    return times


def speeds(checkers: dict[str, Checker], peers: list[Peer], texts: list[str]) -> dict[str, Times]:
    """Everything in turns, each round with prompts that no cache has seen."""
    times: dict[str, Times] = {}
    per_round = len(texts) // ROUNDS
    for checker in checkers.values():
        time_calls(checker.check, (f"warm-up {n}: {texts[n]}" for n in range(10)))
    for n in range(ROUNDS):
        part = texts[n * per_round : (n + 1) * per_round]
        for name, checker in checkers.items():
            times.setdefault(name, []).extend(time_calls(checker.check, part))
        for peer in peers:
            times.setdefault(peer.name, []).extend(peer.times(part))
    return times


def batched(checker: Checker, texts: list[str]) -> tuple[float, float]:
    """Prompts a second by the clock and of the processor, 64 prompts a call."""
    calls = [texts[n : n + BATCH] for n in range(0, len(texts), BATCH)]
    wall, cpu = time.perf_counter(), time.process_time()
    for call in calls:
        checker.check_many(call)
    return len(texts) / (time.perf_counter() - wall), len(texts) / (time.process_time() - cpu)


def wrong(rows: list[Row], flagged: dict[str, bool]) -> list[str]:
    """The ids of misses and of false positives."""
    asked = [row for row in rows if row["id"] in flagged]
    return [row["id"] for row in asked if flagged[row["id"]] != (row["label"] == "toxic")]


def main() -> None:
    """Run all of it."""
    options = argparse.ArgumentParser()
    options.add_argument("--no-peers", action="store_true", help="inkguard alone")
    options.add_argument("--timed", type=int, default=300, help="prompts a round of timing")
    args = options.parse_args()
    rows = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    # Without the cache of scores: no two prompts are the same in use.
    full = Checker(load_policy(), ToxicityClassifier.load())
    checkers = {"lists": Checker(full.policy, None), "lists + classifier": full}
    peers = [] if args.no_peers else prepare(OUT / "peers")
    hits: Hits = {}
    alone: Hits = {}
    for name, checker in checkers.items():
        hits[name], alone[name] = ours(checker, rows)
    for peer in peers:
        found, alone[peer.name] = theirs(peer, rows)
        hits |= found
    texts = timed_prompts(rows, 2 * args.timed * ROUNDS)
    half = len(texts) // 2  # batches get prompts that were not in a cache before either
    times = speeds(checkers, peers, texts[:half])
    rates = {name: batched(checker, texts[half:]) for name, checker in checkers.items()}
    tables = [group_table(rows, hits), *class_tables(rows, hits), alone_table(rows, alone)]
    few = {name: hits[name] for name in hits if "spans" not in name}
    readable = [row for row in rows if group_of(row) != "disguised"]
    tables += [
        slice_table(readable, few, key) for key in ("category", "severity", "language", "form")
    ]
    print("\n\n".join([*tables, speed_table(times, rates)]))
    OUT.mkdir(parents=True, exist_ok=True)
    report = {
        "python": platform.python_version(),
        "policy": full.policy.digest,
        "prompts": len(rows),
        "peers": {peer.name: peer.version for peer in peers},
        "wrong": {name: wrong(rows, found) for name, found in hits.items()},
        "wrong_alone": {name: wrong(rows, found) for name, found in alone.items()},
        "times_ms": {n: np.percentile(t, [50, 99], axis=0).tolist() for n, t in times.items()},
        "batched_per_second": rates,
    }
    (OUT / "detect.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    own_process()
    main()
