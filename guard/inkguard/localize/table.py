"""The results as a table: `sites.csv`, and which of its rows a person wants to see."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from inkguard.localize.patch import NONE, WHOLE, Patch
from inkguard.localize.plan import LocalizationResult

__all__ = ["COLUMNS", "shown_patches", "write_csv"]

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


def write_csv(path: Path, result: LocalizationResult) -> None:
    """One row a patch; empty cells where a value does not exist. Raises OSError."""
    from scipy.stats import binomtest  # the extra `measure`

    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                *("variant", "sites", "modules", "start_step", "pooled_text"),
                *("share_of_parameters", "pictures", *COLUMNS),
                *("donor_exact_low", "donor_exact_high", "chosen"),
            ]
        )
        for patch, score in result.scores.items():
            exact = score["donor_exact"]
            hits = binomtest(round(exact * score.pictures), score.pictures)
            low, high = hits.proportion_ci(method="wilson")
            share = 1.0 if patch.whole else result.share(patch.sites)
            writer.writerow(
                [
                    patch.key,
                    " ".join(map(str, patch.sites)),
                    " ".join(result.sites[n].module for n in patch.sites),
                    patch.start_step,
                    int(patch.swap_pooled),
                    f"{share:.6f}",
                    score.pictures,
                    *("" if math.isnan(score[c]) else f"{score[c]:.6g}" for c in COLUMNS),
                    f"{low:.4f}",
                    f"{high:.4f}",
                    int(patch == result.final),
                ]
            )


def shown_patches(result: LocalizationResult) -> list[Patch]:
    """The patches that a person wants to see: a few of the sites, the best sets, what was chosen."""
    chosen = [v for v in result.scores if v.sites == result.choice.sites and v.key.count(" ")]
    wanted = [
        NONE,
        WHOLE,
        *(Patch(sites=(n,)) for n in result.telling(_MOST_SINGLES)),
        *result.best_by_size().values(),
        Patch(sites=result.choice.sites),
        *chosen,
    ]
    return list(dict.fromkeys(wanted))
