"""`report.html`: everything in one file, to look through in a browser without a network."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from inkguard.localize.plan import RULE, Findings
from inkguard.localize.plots import draw_charts, picture_columns
from inkguard.localize.sweep import Score, Sweep
from inkguard.localize.variants import NONE, WHOLE, Variant

__all__ = ["write_report"]

_SIDE = 256
"""Pictures in the report are made smaller until their longer side has at most this many pixels."""


def write_report(
    path: Path, findings: Findings, sweep: Sweep, *, title: str, facts: Mapping[str, str]
) -> None:
    """Write the page; `facts` are shown at its top. Raises OSError."""
    from jinja2 import Environment, StrictUndefined

    # Autoescape: prompts and readings are data, whatever characters they hold.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    source = resources.files("inkguard.localize") / "report.html.j2"
    template = environment.from_string(source.read_text(encoding="utf-8"))
    columns = picture_columns(findings, most=None)
    with TemporaryDirectory() as folder:
        charts = Path(folder) / "charts.png"
        draw_charts(charts, findings, sweep, title)
        chart = _data_uri(charts.read_bytes(), "PNG")
    page = template.render(
        title=title,
        facts=facts,
        summary=_summary(findings),
        rule=RULE.format(within=findings.search.within),
        overridden=findings.search.override is not None,
        reached=findings.choice.reached,
        chart=chart,
        rows=[_row(v, s, findings) for v, s in findings.scores.items()],
        by_length=[
            (kind, _cells(score))
            for kind, equal in (("equal", True), ("different", False))
            if (score := sweep.score(findings.final, equal_length=equal)).pictures
        ],
        columns=[(_name(v, findings), v == findings.final) for v in columns],
        gallery=[
            (sweep.pairs[n], [_cell(v, n, sweep) for v in columns])
            for n in range(min(sweep.gallery.examples, len(sweep.pairs)))
        ],
    )
    path.write_text(page, encoding="utf-8")


def _summary(findings: Findings) -> dict[str, Any]:
    final, whole = findings.scores[findings.final], findings.scores[WHOLE]
    return {
        "sites": ", ".join(map(str, findings.final.sites)),
        "modules": [findings.sites[n].module for n in findings.final.sites],
        "of": len(findings.sites),
        "share": f"{findings.share(findings.final.sites):.2%}",
        "start": findings.final.start_step,
        "pooled": findings.final.swap_pooled,
        "donor": f"{final['donor_similarity']:.3f}",
        "whole": f"{whole['donor_similarity']:.3f}",
        "source": f"{final['source_similarity']:.3f}",
        "unpatched": f"{findings.scores[NONE]['source_similarity']:.3f}",
        "ssim": _number(final["ssim_outside"]),
        "ssim_whole": _number(whole["ssim_outside"]),
    }


def _row(variant: Variant, score: Score, findings: Findings) -> dict[str, Any]:
    return {
        "name": _name(variant, findings),
        "share": f"{findings.share(variant.sites):.2%}" if variant.sites else "",
        "cells": _cells(score),
        "chosen": variant == findings.final,
    }


def _name(variant: Variant, findings: Findings) -> str:
    if not variant.sites:
        return "whole prompt" if variant.whole else "unpatched"
    if len(variant.sites) == len(findings.sites) > 1:
        return f"all {len(variant.sites)} sites"
    return variant.key


def _cells(score: Score) -> list[str]:
    names = ("donor_similarity", "donor_exact", "donor_f1", "source_similarity", "source_exact")
    shares = [_number(score[name]) for name in names]
    kept = [_number(score[f"ssim_{part}"]) for part in ("inside", "outside")]
    psnr = [_number(score[f"psnr_{part}"], 1) for part in ("inside", "outside")]
    return [*shares, _number(score.change * 1e3, 2), *kept, *psnr]


def _number(value: float, digits: int = 3) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _cell(variant: Variant, pair: int, sweep: Sweep) -> dict[str, str]:
    pixels = sweep.gallery.load(variant, pair)
    picture = "" if pixels is None else _picture(pixels)
    return {"picture": picture, "read": sweep.read(variant, pair)}


def _picture(pixels: np.ndarray) -> str:
    """Small pictures as they are; large ones made small, and JPEG, since there are hundreds."""
    image = Image.fromarray(pixels)
    kind = "PNG" if max(image.size) <= _SIDE else "JPEG"
    image.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    image.save(buffer, format=kind, optimize=True)
    return _data_uri(buffer.getvalue(), kind)


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind.lower()};base64,{base64.b64encode(data).decode()}"
