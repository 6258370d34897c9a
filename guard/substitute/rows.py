"""Which rows of a denoiser's batch carry a flagged prompt: found by content, not by position.

Pipelines lay their batches out in many ways (unconditional first or last, two separate calls,
several pictures per prompt). A row belongs to a flagged prompt exactly when the text embeddings
that reach the denoiser in that row equal the ones encoded for that prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from guard.errors import SubstitutionError

__all__ = ["FlaggedPrompt", "RowMatch", "match_rows", "refuse_ambiguous"]


@dataclass(frozen=True, slots=True, eq=False)
class FlaggedPrompt:
    """The text embeddings (T, D) of a flagged prompt and of its donor, of equal shape and dtype.

    `donor_pooled` is the donor's pooled text (P,), where that is to be swapped as well; `donor_mask`
    (T,) tells which of its tokens are text, where the denoiser is told so.
    """

    embeds: torch.Tensor
    donor: torch.Tensor
    donor_pooled: torch.Tensor | None = None
    donor_mask: torch.Tensor | None = None

    def __post_init__(self) -> None:
        if self.embeds.ndim != 2 or self.embeds.shape != self.donor.shape:
            raise SubstitutionError(
                f"prompt and donor embeddings must both be (tokens, width), got "
                f"{tuple(self.embeds.shape)} and {tuple(self.donor.shape)}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class RowMatch:
    """`rows` int64 (R,) of the batch that are flagged, `donors` (R, T, D) in the same order.

    `others` int64 (B - R,) are the remaining rows; `pooled` (R, P) the donors' pooled text, None
    where it is kept; `masks` (R, T) the donors' masks, None where there are none.
    """

    rows: torch.Tensor
    others: torch.Tensor
    donors: torch.Tensor
    pooled: torch.Tensor | None = None
    masks: torch.Tensor | None = None


def match_rows(text: torch.Tensor, flagged: Sequence[FlaggedPrompt]) -> RowMatch | None:
    """Compare a denoiser call's text embeddings (B, T, D) with the flagged prompts'; None if no row fits."""
    found: dict[int, FlaggedPrompt] = {}
    for prompt in flagged:
        if text.shape[1:] != prompt.embeds.shape:
            continue
        same = (text == prompt.embeds.to(text)).flatten(1).all(1)
        for row in same.nonzero().flatten().tolist():
            found.setdefault(row, prompt)
    if not found:
        return None
    rows = sorted(found)
    others = [row for row in range(len(text)) if row not in found]
    pooled = [p for row in rows if (p := found[row].donor_pooled) is not None]
    masks = [m for row in rows if (m := found[row].donor_mask) is not None]
    return RowMatch(
        rows=torch.tensor(rows, device=text.device),
        others=torch.tensor(others, dtype=torch.long, device=text.device),
        donors=torch.stack([found[row].donor for row in rows]).to(text),
        pooled=torch.stack(pooled).to(text) if len(pooled) == len(rows) else None,
        masks=torch.stack(masks).to(text.device) if len(masks) == len(rows) else None,
    )


def refuse_ambiguous(flagged: Sequence[FlaggedPrompt], unconditional: torch.Tensor | None) -> None:
    """Raise SubstitutionError where a flagged prompt encodes like a negative prompt (N, T, D).

    Its rows could then not be told from rows that must never be substituted.
    """
    if unconditional is not None and match_rows(unconditional, flagged) is not None:
        raise SubstitutionError(
            "a flagged prompt has the same text embeddings as a negative prompt"
        )
