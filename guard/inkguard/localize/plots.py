"""`report.png`: bars for each site, the trade-off over set sizes, starting steps, and pictures.

The charts are drawn one by one for `report.html` as well, where a narrow screen stacks them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inkguard.localize.patch import NONE, WHOLE, Patch
from inkguard.localize.plan import LocalizationResult
from inkguard.localize.sweep import Sweep

__all__ = ["draw_charts", "draw_report", "picture_columns"]

# Okabe and Ito's colours, which people with any colour vision tell apart.
_DONOR, _SOURCE, _KEPT, _CHOSEN = "#0072B2", "#D55E00", "#009E73", "#F0E442"
_MOST_COLUMNS, _MOST_ROWS = 14, 6
_NARROW, _DPI = 4.8, 200
"""Inches, and dots an inch, of a chart whose letters can be read on a telephone."""
_SERIES = (
    ("donor_similarity", "donor's text read", _DONOR, "o"),
    ("source_similarity", "prompt's own text read", _SOURCE, "s"),
    ("ssim_outside", "picture kept outside of the text (SSIM)", _KEPT, "^"),
)


def draw_charts(result: LocalizationResult) -> dict[str, bytes]:
    """The three charts as PNG files by what they show, each with its own title and legend."""
    wide = min(13.0, max(_NARROW, 0.18 * len(result.sites)))
    return {
        "Bars for each site": _chart(_bars, result, wide),
        "The best set of each size": _chart(_trade_off, result, _NARROW),
        "Later starting steps": _chart(_starts, result, _NARROW),
    }


def _chart(draw: Callable[[Any, LocalizationResult], None], result: Any, wide: float) -> bytes:
    figure = _figure((wide, 3.9))
    axes = figure.subplots()
    draw(axes, result)
    axes.set_title(axes.get_title(loc="left"), loc="left", fontsize=9.5)
    axes.set_xlabel(axes.get_xlabel(), fontsize=9)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", frameon=False, fontsize=9)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI)
    return file.getvalue()


def _figure(size: tuple[float, float]) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Figure, not pyplot: no display is looked for and no global state is left.
    figure = Figure(figsize=size, dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def picture_columns(result: LocalizationResult, most: int | None = _MOST_COLUMNS) -> list[Patch]:
    """Which patches' pictures stand side by side: unpatched, the final choice, whole prompt, sites.

    What decides comes first, where a screen shows it whatever its width.

    At most `most`; then of the sites the chosen ones and those that move the reading furthest.
    """
    numbers = result.telling(most - 3 if most else len(result.sites))
    return list(dict.fromkeys([NONE, result.final, WHOLE, *(Patch(sites=(n,)) for n in numbers)]))


def draw_report(path: Path, result: LocalizationResult, sweep: Sweep, title: str) -> None:
    """Charts above, pictures below. Raises OSError."""
    columns = picture_columns(result)
    rows = min(_MOST_ROWS, sweep.gallery.examples, len(sweep.pairs))
    charts_high, width = 6.6, 13.0
    cell_wide = (width - 0.9) / len(columns)
    ratio = sweep.plain(0).shape[0] / sweep.plain(0).shape[1]
    grid_high = rows * (cell_wide * ratio + 0.08) + 0.75
    figure = _figure((width, charts_high + grid_high))
    figure.suptitle(title, fontsize=13, fontweight="bold", x=0.01, ha="left")
    charts, pictures = figure.subfigures(2, 1, height_ratios=(charts_high, grid_high))
    _pictures(pictures, result, sweep, columns, rows)
    axes = charts.subplot_mosaic([["sites", "sites"], ["sizes", "starts"]])
    _bars(axes["sites"], result)
    _trade_off(axes["sizes"], result)
    _starts(axes["starts"], result)
    handles, labels = axes["sites"].get_legend_handles_labels()
    charts.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9
    )
    figure.savefig(path, format="png")


def _bars(axes: Any, result: LocalizationResult) -> None:
    singles = result.singles()
    places = np.arange(len(singles))
    for offset, (name, label, color, _) in zip((-0.27, 0, 0.27), _SERIES, strict=True):
        values = [singles[n][name] for n in singles]
        axes.bar(places + offset, values, 0.25, color=color, label=label)
    for site in result.choice.sites:
        axes.axvspan(site - 0.45, site + 0.45, color=_CHOSEN, alpha=0.4, lw=0, zorder=0)
    axes.axhline(
        result.scores[WHOLE]["donor_similarity"],
        color=_DONOR,
        ls="--",
        lw=1.2,
        label="donor's text read, whole prompt swapped",
    )
    axes.set_title("The donor's text at one site alone (chosen sites shaded)", loc="left")
    axes.set_xlabel("site, in the order in which the model runs them")
    step = 1 if len(singles) <= 30 else 5
    axes.set_xticks(places[::step], [str(n) for n in singles][::step])
    axes.set_xlim(-0.6, len(singles) - 0.4)
    _unit(axes)


def _trade_off(axes: Any, result: LocalizationResult) -> None:
    best = result.best_by_size()
    patches = [*best.values(), WHOLE]
    names = [_wrapped(v, result) for v in patches]
    places = np.arange(len(patches))
    for name, label, color, marker in _SERIES:
        values = [result.scores[v][name] for v in patches]
        axes.plot(places[:-1], values[:-1], color=color, marker=marker, ms=5, label=label)
        axes.plot(places[-1:], values[-1:], color=color, marker=marker, ms=7, mfc="white", ls="")
    axes.set_xticks(places, names, fontsize=8)
    axes.set_xlim(-0.4, len(patches) - 0.6)
    axes.set_title("More sites: the best set of each size", loc="left")
    axes.set_xlabel("sites, and their share of the denoiser's parameters")
    _unit(axes)


def _wrapped(patch: Patch, result: LocalizationResult) -> str:
    if patch.whole:
        return "whole prompt\nswapped"
    count = len(patch.sites)
    every = count == len(result.sites) > 1
    return f"{f'all {count}' if every else patch.key}\n{result.share(patch.sites):.2%}"


def _starts(axes: Any, result: LocalizationResult) -> None:
    starts = result.starts()
    for name, label, color, marker in _SERIES:
        values = [s[name] for s in starts.values()]
        axes.plot(list(starts), values, color=color, marker=marker, ms=5, label=label)
    axes.axvline(result.final.start_step, color=_CHOSEN, lw=8, alpha=0.5, zorder=0)
    axes.set_xticks(list(starts))
    axes.set_title("Later starts: the chosen sites, patched from a step on", loc="left")
    axes.set_xlabel("first denoising step with the donor's text (chosen shaded)")
    _unit(axes)


def _unit(axes: Any) -> None:
    axes.set_ylabel("similarity", fontsize=9)
    axes.set_ylim(0, 1.04)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", lw=0.4, alpha=0.6)
    axes.set_axisbelow(True)


def _pictures(
    figure: Any, result: LocalizationResult, sweep: Sweep, columns: Sequence[Patch], rows: int
) -> None:
    figure.suptitle(
        "The same noise, the donor's text at one site each (rows: prompt's text → donor's text)",
        fontsize=11,
        x=0.01,
        ha="left",
    )
    grid = figure.subplots(rows, len(columns), squeeze=False, gridspec_kw={"wspace": 0.03})
    for row in range(rows):
        pair = sweep.pairs[row]
        for column, patch in enumerate(columns):
            axes = grid[row][column]
            axes.set_xticks([])
            axes.set_yticks([])
            chosen = patch == result.final
            for spine in axes.spines.values():
                spine.set_visible(chosen)
                spine.set_color(_CHOSEN)
                spine.set_linewidth(3)
            pixels = sweep.gallery.load(patch, row)
            if pixels is not None:
                axes.imshow(pixels, interpolation="nearest")
            if row == 0:
                axes.set_title(_heading(patch, result), fontsize=8)
            if column == 0:
                axes.set_ylabel(f"{pair.word}\n→ {pair.donor}", fontsize=7)


def _heading(patch: Patch, result: LocalizationResult) -> str:
    if not patch.sites:
        return "whole prompt" if patch.whole else "unpatched"
    name = patch.key if len(patch.sites) == 1 else f"sites {patch.key}"
    chosen = patch == result.final
    name = name.replace(" from", "\nfrom").replace(" and", "\nand")
    return name + "\n(chosen)" * chosen
