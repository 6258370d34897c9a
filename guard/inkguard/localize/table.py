"""The results as a table: for the terminal, and as `sites.csv`."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from inkguard.localize.plan import Findings
from inkguard.localize.variants import NONE, WHOLE, Variant
from inkguard.measure import wilson

__all__ = ["COLUMNS", "shown_variants", "terminal_table", "write_csv"]

COLUMNS = (
    "donor_f1",
    "donor_exact",
    "donor_similarity",
    "source_f1",
    "source_exact",
    "source_similarity",
    *(f"{m}{part}" for part in ("", "_inside", "_outside") for m in ("mse", "ssim", "psnr")),
)
_MOST_SINGLES = 12


def write_csv(path: Path, findings: Findings) -> None:
    """One row a variant; empty cells where a value does not exist. Raises OSError."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                *("variant", "sites", "modules", "start_step", "pooled_text"),
                *("share_of_parameters", "pictures", *COLUMNS),
                *("donor_exact_low", "donor_exact_high", "chosen"),
            ]
        )
        for variant, score in findings.scores.items():
            exact = score["donor_exact"]
            low, high = wilson(round(exact * score.pictures), score.pictures)
            share = 1.0 if variant.whole else findings.share(variant.sites)
            writer.writerow(
                [
                    variant.key,
                    " ".join(map(str, variant.sites)),
                    " ".join(findings.sites[n].module for n in variant.sites),
                    variant.start_step,
                    int(variant.swap_pooled),
                    f"{share:.6f}",
                    score.pictures,
                    *("" if math.isnan(score[c]) else f"{score[c]:.6g}" for c in COLUMNS),
                    f"{low:.4f}",
                    f"{high:.4f}",
                    int(variant == findings.final),
                ]
            )


def shown_variants(findings: Findings) -> list[Variant]:
    """The variants that a person wants to see: a few of the sites, the best sets, what was chosen."""
    chosen = [v for v in findings.scores if v.sites == findings.choice.sites and v.key.count(" ")]
    wanted = [
        NONE,
        WHOLE,
        *(Variant(sites=(n,)) for n in findings.telling(_MOST_SINGLES)),
        *findings.best_by_size().values(),
        Variant(sites=findings.choice.sites),
        *chosen,
    ]
    return list(dict.fromkeys(wanted))


def terminal_table(findings: Findings) -> Table:
    """`shown_variants` with what is read and what is kept, within 80 columns."""
    table = Table(
        Column("donor text at", no_wrap=True),
        "share",
        "donor\nread",
        "exact",
        "source\nread",
        "MSE\nout*",
        "SSIM\nout",
        "SSIM\nin",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0, 0, 1),
        caption="read: OCR similarity. out, in: of the text. *x 1000",
        caption_justify="left",
    )
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for variant in shown_variants(findings):
        score, chosen = findings.scores[variant], variant == findings.final
        every = len(variant.sites) == len(findings.sites) > 1
        name = f"all {len(findings.sites)} sites" if every else variant.key
        name = name.replace(" and pooled text", " + pooled")
        table.add_row(
            f"{name}{' <- chosen' if chosen else ''}",
            "" if not variant.sites else f"{findings.share(variant.sites):.1%}",
            f"{score['donor_similarity']:.3f}",
            f"{score['donor_exact']:.3f}",
            f"{score['source_similarity']:.3f}",
            f"{score.change * 1e3:.2f}",
            f"{score['ssim_outside']:.3f}",
            f"{score['ssim_inside']:.3f}",
            style="bold green" if chosen else None,
        )
    return table
