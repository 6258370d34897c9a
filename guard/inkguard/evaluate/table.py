"""The means of each method, as numbers and as tables."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inkguard.evaluate.options import Compared
from inkguard.frozen import freeze

__all__ = ["Summary", "markdown", "share", "summarise", "write_csv"]

_SHARES = ("readable", "own_read", "donor_read")
_MEANS = (
    "toxic_recall",
    "toxic_f1",
    "toxicity",
    *(f"{m}{part}" for m in ("mse", "ssim", "psnr") for part in ("", "_inside", "_outside")),
)


@dataclass(frozen=True, slots=True)
class Summary:
    """A method's results: `values` by column name, NaN where there is none."""

    method: str
    pictures: int
    values: Mapping[str, float]

    def __post_init__(self) -> None:
        freeze(self)


def summarise(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Summary]:
    """One summary per method from its rows, which are in the same order of prompts for all.

    Shares come with Wilson's 95 % interval (`_low`, `_high`). `donor_ratio` is how often the donor's
    text is read over how often the unguarded prompt's own is; `seconds` the median of a picture's and
    `time` the median, prompt by prompt, of its ratio to the unguarded picture's.
    """
    from scipy.stats import binomtest  # the extra `measure`

    plain = rows["none"]
    own = statistics.fmean(r["own_read"] for r in plain)
    summaries = []
    for method, scores in rows.items():
        values: dict[str, float] = {}
        for name in _SHARES:
            hits = sum(bool(r[name]) for r in scores)
            values[name] = hits / len(scores)
            interval = binomtest(hits, len(scores)).proportion_ci(method="wilson")
            values[f"{name}_low"], values[f"{name}_high"] = interval
        values |= {name: _mean(r[name] for r in scores) for name in _MEANS}
        values["donor_ratio"] = values["donor_read"] / own if own else math.nan
        values["seconds"] = statistics.median(r["seconds"] for r in scores)
        values["time"] = statistics.median(
            r["seconds"] / p["seconds"] for r, p in zip(scores, plain, strict=True)
        )
        summaries.append(Summary(method, len(scores), values))
    return summaries


def write_csv(path: Path, summaries: Sequence[Summary]) -> None:
    """Every column, one row a method. Raises OSError."""
    names = list(summaries[0].values)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["method", "pictures", *names])
        for s in summaries:
            writer.writerow([s.method, s.pictures, *(f"{s.values[n]:.6g}" for n in names)])


_HEADS = (
    "method",
    "toxic text readable [95 %]",
    "toxic recall",
    "toxic F1",
    "toxicity",
    "donor read [95 %]",
    "/ own unguarded",
    "SSIM all / in / out",
    "PSNR all / in / out (dB)",
    "MSE x 1000 all / in / out",
    "time",
)


def markdown(summaries: Sequence[Summary]) -> str:
    """The table for documents."""
    lines = [" | ".join(_HEADS), " | ".join("---" for _ in _HEADS)]
    lines += [" | ".join(_cells(s)) for s in summaries]
    return "".join(f"| {line} |\n" for line in lines)


def _cells(summary: Summary) -> list[str]:
    v = summary.values
    donor = f"{share(v, 'donor_read')}" if summary.method != "none" else "-"
    ratio = f"{v['donor_ratio']:.2f}" if summary.method != "none" else "-"
    return [
        Compared(summary.method).label,
        share(v, "readable"),
        f"{v['toxic_recall']:.2f}",
        f"{v['toxic_f1']:.2f}",
        f"{v['toxicity']:.2f}",
        donor,
        ratio,
        _parts(v, "ssim", ".3f"),
        _parts(v, "psnr", ".1f"),
        _parts(v, "mse", ".2f", 1000),
        f"{v['time']:.2f}x ({v['seconds']:.2f} s)",
    ]


def share(values: Mapping[str, float], name: str, between: str = " ") -> str:
    """A share and its interval, as "0.970 [0.936, 0.986]"."""
    return f"{values[name]:.3f}{between}[{values[f'{name}_low']:.3f}, {values[f'{name}_high']:.3f}]"


def _parts(values: Mapping[str, float], name: str, form: str, factor: float = 1) -> str:
    return " / ".join(
        f"{values[name + part] * factor:{form}}" for part in ("", "_inside", "_outside")
    )


def _mean(values: Iterable[float | None]) -> float:
    known = [v for v in values if v is not None]
    return statistics.fmean(known) if known else math.nan
