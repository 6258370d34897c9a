"""Which rows of a denoiser's batch carry a flagged prompt: found by content, not by position.

Pipelines lay their batches out in many ways (unconditional first or last, two separate calls,
several pictures per prompt). A row belongs to a flagged prompt exactly when the text embeddings
that reach the denoiser in that row equal the ones encoded for that prompt. So prompts that the
encoder reads alike cannot be told apart, and a batch in which that would matter is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from inkguard.errors import SubstitutionError

__all__ = [
    "FlaggedPrompt",
    "RowMatch",
    "flagged_prompts",
    "match_rows",
    "merge_alike",
]

_MASKED = -10000.0
"""What diffusers adds to the scores of masked text tokens."""


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

    `others` int64 (B - R,) are the remaining rows; `prompts` says for each row which of the flagged
    prompts it carries; `pooled` (R, P) are the donors' pooled text, None where it is kept; `masks`
    (R, T) the donors' masks, None where there are none.
    """

    rows: torch.Tensor
    others: torch.Tensor
    donors: torch.Tensor
    prompts: tuple[int, ...]
    pooled: torch.Tensor | None = None
    masks: torch.Tensor | None = None

    def bias(self) -> torch.Tensor:
        """What denoisers add to attention scores (R, 1, T) so that the donors' padding is not read.

        Raises SubstitutionError where the donors have no masks.
        """
        if self.masks is None:
            raise SubstitutionError("the denoiser gets a text mask, and the donor has none")
        return torch.where(self.masks.bool()[:, None], 0.0, _MASKED)


def flagged_prompts(
    own: torch.Tensor,
    donor: torch.Tensor,
    rows: Sequence[int],
    *,
    pooled: torch.Tensor | None = None,
    masks: torch.Tensor | None = None,
) -> list[FlaggedPrompt]:
    """The flagged `rows` of a batch, from its text embeddings and its donors' (N, T, D).

    `pooled` (N, P) is the donors' pooled text where that is swapped as well, `masks` (N, T) say
    which of the donors' tokens are text. Raises SubstitutionError where the encoder reads a row that
    is not flagged like one that is (in another letter case, say): it would be edited with it.
    """
    for row in rows:
        alike = (own == own[row]).flatten(1).all(1).nonzero().flatten().tolist()
        if others := sorted(set(alike) - set(rows)):
            raise SubstitutionError(
                f"prompt {row} is flagged, and the encoder reads prompt {others[0]} like it, which is "
                f"not: their rows cannot be told apart, so draw them in two calls"
            )
    return [
        FlaggedPrompt(
            own[row],
            donor[row],
            None if pooled is None else pooled[row],
            None if masks is None else masks[row],
        )
        for row in rows
    ]


def merge_alike(flagged: Sequence[FlaggedPrompt]) -> list[tuple[FlaggedPrompt, int]]:
    """Every prompt that reads differently, and how many of `flagged` read like it.

    Raises SubstitutionError where two read alike and their donors do not: which row should read
    which donor could not be told.
    """
    merged: list[tuple[FlaggedPrompt, int]] = []
    for prompt in flagged:
        for n, (known, count) in enumerate(merged):
            if _equal(known.embeds, prompt.embeds):
                if not all(
                    _equal(getattr(known, name), getattr(prompt, name))
                    for name in ("donor", "donor_pooled", "donor_mask")
                ):
                    raise SubstitutionError(
                        "two flagged prompts read alike and their donors do not: draw them in two calls"
                    )
                merged[n] = known, count + 1
                break
        else:
            merged.append((prompt, 1))
    return merged


def match_rows(text: torch.Tensor, flagged: Sequence[FlaggedPrompt]) -> RowMatch | None:
    """Compare a denoiser call's text embeddings (B, T, D) with the flagged prompts'; None if no row fits."""
    numbers: dict[int, int] = {}
    for number, prompt in enumerate(flagged):
        if text.shape[1:] != prompt.embeds.shape:
            continue
        same = (text == prompt.embeds.to(text)).flatten(1).all(1)
        for row in same.nonzero().flatten().tolist():
            numbers.setdefault(row, number)
    if not numbers:
        return None
    rows = sorted(numbers)
    found = {row: flagged[number] for row, number in numbers.items()}
    others = [row for row in range(len(text)) if row not in found]
    pooled = [p for row in rows if (p := found[row].donor_pooled) is not None]
    masks = [m for row in rows if (m := found[row].donor_mask) is not None]
    return RowMatch(
        rows=torch.tensor(rows, device=text.device),
        others=torch.tensor(others, dtype=torch.long, device=text.device),
        donors=torch.stack([found[row].donor for row in rows]).to(text),
        prompts=tuple(numbers[row] for row in rows),
        pooled=torch.stack(pooled).to(text) if len(pooled) == len(rows) else None,
        masks=torch.stack(masks).to(text.device) if len(masks) == len(rows) else None,
    )


def _equal(a: torch.Tensor | None, b: torch.Tensor | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.shape == b.shape and bool(torch.equal(a, b))
