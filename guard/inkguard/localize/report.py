"""`report.html`: everything in one file, to look through in a browser without a network."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from inkguard.localize.patch import NONE, WHOLE, Patch
from inkguard.localize.plan import RULE, LocalizationResult
from inkguard.localize.plots import draw_charts, picture_columns
from inkguard.localize.sweep import Sweep, SweepScore

__all__ = ["write_report"]

_SIDE = 256
"""Pictures in the report are made smaller until their longer side has at most this many pixels."""


def write_report(
    path: Path, result: LocalizationResult, sweep: Sweep, *, title: str, facts: Mapping[str, str]
) -> None:
    """Write the page; `facts` are shown at its top. Raises OSError."""
    from jinja2 import Environment, StrictUndefined

    # Autoescape: prompts and readings are data, whatever characters they hold.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    source = resources.files("inkguard.localize") / "report.html.j2"
    template = environment.from_string(source.read_text(encoding="utf-8"))
    columns = picture_columns(result, most=None)
    page = template.render(
        title=title,
        facts=facts,
        summary=_summary(result),
        rule=RULE.format(within=result.search.within),
        overridden=result.search.override is not None,
        reached=result.choice.reached,
        charts=[
            (alt, _data_uri(chart, "PNG"), _legible(chart))
            for alt, chart in draw_charts(result).items()
        ],
        rows=[_row(v, s, result) for v, s in result.scores.items()],
        by_length=[
            (kind, _cells(score))
            for kind, equal in (("equal", True), ("different", False))
            if (score := sweep.score(result.final, equal_length=equal)).pictures
        ],
        columns=[(_name(v, result), v == result.final) for v in columns],
        gallery=[
            (sweep.pairs[n], [_cell(v, n, sweep) for v in columns])
            for n in range(min(sweep.gallery.examples, len(sweep.pairs)))
        ],
    )
    path.write_text(page, encoding="utf-8")


def _summary(result: LocalizationResult) -> dict[str, Any]:
    final, whole = result.scores[result.final], result.scores[WHOLE]
    return {
        "sites": ", ".join(map(str, result.final.sites)),
        "modules": [result.sites[n].module for n in result.final.sites],
        "of": len(result.sites),
        "share": f"{result.share(result.final.sites):.2%}",
        "start": result.final.start_step,
        "pooled": result.final.swap_pooled,
        "donor": f"{final['donor_similarity']:.3f}",
        "whole": f"{whole['donor_similarity']:.3f}",
        "source": f"{final['source_similarity']:.3f}",
        "unpatched": f"{result.scores[NONE]['source_similarity']:.3f}",
        "ssim": _number(final["ssim_outside"]),
        "ssim_whole": _number(whole["ssim_outside"]),
    }


def _row(patch: Patch, score: SweepScore, result: LocalizationResult) -> dict[str, Any]:
    return {
        "name": _name(patch, result),
        "share": f"{result.share(patch.sites):.2%}" if patch.sites else "",
        "cells": _cells(score),
        "chosen": patch == result.final,
    }


def _name(patch: Patch, result: LocalizationResult) -> str:
    if not patch.sites:
        return "whole prompt" if patch.whole else "unpatched"
    if len(patch.sites) == len(result.sites) > 1:
        return f"all {len(patch.sites)} sites"
    return patch.key


def _cells(score: SweepScore) -> list[str]:
    names = ("donor_similarity", "donor_exact", "donor_f1", "source_similarity", "source_exact")
    shares = [_number(score[name]) for name in names]
    kept = [_number(score[f"ssim_{part}"]) for part in ("inside", "outside")]
    psnr = [_number(score[f"psnr_{part}"], 1) for part in ("inside", "outside")]
    return [*shares, _number(score.change * 1e3, 2), *kept, *psnr]


def _number(value: float, digits: int = 3) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _cell(patch: Patch, pair: int, sweep: Sweep) -> dict[str, str]:
    pixels = sweep.gallery.load(patch, pair)
    picture = "" if pixels is None else _picture(pixels)
    return {"picture": picture, "read": sweep.read(patch, pair)}


def _picture(pixels: np.ndarray) -> str:
    """Small pictures as they are; large ones made small, and JPEG, since there are hundreds."""
    image = Image.fromarray(pixels)
    kind = "PNG" if max(image.size) <= _SIDE else "JPEG"
    image.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    image.save(buffer, format=kind, optimize=True)
    return _data_uri(buffer.getvalue(), kind)


def _legible(chart: bytes) -> float:
    """The least width at which a chart's letters can be read, in rem; narrower screens scroll it."""
    with Image.open(io.BytesIO(chart)) as image:
        return round(image.width * 0.023, 1)


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind.lower()};base64,{base64.b64encode(data).decode()}"
