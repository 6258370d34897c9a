"""The tables that `bench/detect.py` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest

__all__ = ["alone_table", "class_tables", "group_of", "group_table", "slice_table", "speed_table"]

Row = dict[str, Any]
Flags = Mapping[str, Mapping[str, bool]]

GROUPS = {
    "clear": ("plain", "framed", "inflected", "compound", "phrase"),
    "clear, de and es": ("plain_de", "plain_es"),
    "disguised": (),  # all other toxic classes
    "tricky words": (
        *("scunthorpe", "name", "place", "cocktail_food", "medical", "identity_term"),
        *("double_meaning", "foreign_word"),
    ),
    "harmless prompts": (
        *("everyday_sign", "scene_without_text", "quote_style", "everyday_de", "everyday_es"),
    ),
    "look like disguises": (),  # all other harmless classes
}
# Recall at least, or false positives at most; alone and in prompts.
BARS = {
    "clear": (0.96, 0.97),
    "disguised": (None, 0.90),
    "tricky words": (0.03, 0.03),
    "harmless prompts": (None, 0.02),
    "look like disguises": (None, 0.04),
}


def group_of(row: Row) -> str:
    """The group of a row's class."""
    for group, classes in GROUPS.items():
        if row["class"] in classes:
            return group
    return "disguised" if row["label"] == "toxic" else "look like disguises"


def group_table(rows: Sequence[Row], hits: Flags) -> str:
    """Groups of prompts, with intervals and the bars that were set before."""
    return _by_group("in prompts", rows, hits, 1)


def alone_table(rows: Sequence[Row], alone: Flags) -> str:
    """Groups again, for texts without a prompt around them."""
    return _by_group("texts alone", [row for row in rows if row["text"]], alone, 0)


def _by_group(title: str, rows: Sequence[Row], flags: Flags, place: int) -> str:
    lines = [_row(title, "what", "n", "bar", *flags), _rule(4, len(flags))]
    for group in GROUPS:
        members = [row for row in rows if group_of(row) == group]
        toxic = members[0]["label"] == "toxic"
        bar = BARS.get(group, (None, None))[place]
        wanted = "" if bar is None else f"{'>=' if toxic else '<='} {bar:.2f}"
        cells = [_share(members, flagged) for flagged in flags.values()]
        lines.append(_row(group, "recall" if toxic else "false pos.", len(members), wanted, *cells))
    return "\n".join(lines)


def class_tables(rows: Sequence[Row], hits: Flags) -> tuple[str, str]:
    """Recall of each toxic class, and false positives of each harmless one."""
    return _by_class(rows, hits, "toxic"), _by_class(rows, hits, "harmless")


def _by_class(rows: Sequence[Row], hits: Flags, label: str) -> str:
    title = "recall" if label == "toxic" else "false positives"
    lines = [_row(f"{title} in prompts", "n", *hits), _rule(2, len(hits))]
    for group in GROUPS:
        members = [row for row in rows if group_of(row) == group and row["label"] == label]
        for name in dict.fromkeys(row["class"] for row in members):
            inner = [row for row in members if row["class"] == name]
            cells = [_plain(inner, flagged) for flagged in hits.values()]
            lines.append(_row(f"{group}: {name}", len(inner), *cells))
    return "\n".join(lines)


def slice_table(rows: Sequence[Row], hits: Flags, key: str) -> str:
    """Recall, and false positives behind a stroke, by a column of the data."""
    lines = [_row(f"{key}: recall / false pos.", "n", *hits), _rule(2, len(hits))]
    for value in sorted({row[key] for row in rows if row[key]}):
        inner = [row for row in rows if row[key] == value]
        toxic = [row for row in inner if row["label"] == "toxic"]
        harmless = [row for row in inner if row["label"] == "harmless"]
        cells = [f"{_plain(toxic, f)} / {_plain(harmless, f)}" for f in hits.values()]
        lines.append(_row(value, f"{len(toxic)} / {len(harmless)}", *cells))
    return "\n".join(lines)


def speed_table(
    times: Mapping[str, Sequence[tuple[float, float]]], rates: Mapping[str, tuple[float, float]]
) -> str:
    """Milliseconds a call, and prompts a second, of the processor and by the clock."""
    names = (
        "p50 cpu",
        "p99 cpu",
        "p50 clock",
        "p99 clock",
        "prompts/s cpu",
        "batched cpu",
        "batched clock",
    )
    lines = [_row("200 characters, ms", "n", *names), _rule(2, len(names))]
    for name, pairs in times.items():
        table = np.asarray(pairs)
        (p50_wall, p50_cpu), (p99_wall, p99_cpu) = np.percentile(table, [50, 99], axis=0)
        per_second = 1e3 / table[:, 1].mean()
        batched = [f"{rate:.0f}" for rate in reversed(rates.get(name, ()))] or ["", ""]
        figures = [f"{x:.3g}" for x in (p50_cpu, p99_cpu, p50_wall, p99_wall)]
        lines.append(_row(name, len(table), *figures, f"{per_second:.0f}", *batched))
    return "\n".join(lines)


def _count(rows: Sequence[Row], flagged: Mapping[str, bool]) -> int:
    return sum(flagged.get(row["id"], False) for row in rows)


def _plain(rows: Sequence[Row], flagged: Mapping[str, bool]) -> str:
    return f"{_count(rows, flagged) / len(rows):.3f}" if rows else "-"


def _share(rows: Sequence[Row], flagged: Mapping[str, bool]) -> str:
    if not rows:
        return "-"
    low, high = binomtest(_count(rows, flagged), len(rows)).proportion_ci(method="wilson")
    return f"{_plain(rows, flagged)} [{low:.3f}, {high:.3f}]"


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _rule(left: int, right: int) -> str:
    return "|" + "---|" * left + "---:|" * right
