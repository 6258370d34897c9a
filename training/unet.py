"""One training loop for the reference U-Nets: a loss on velocities, and heads that must name what is drawn.

As for `sd3-tiny`, linear heads (here on the mid block, whose positions are the letters' cells) must
name in training each cell's letter and, where the shape stands, the shape and its colour. They are
thrown away afterwards. So is one that must draw the shape's silhouette: what shape stands where is
decided on the mid block, and without it some stay blots or stand twice.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch import nn

from inkguard.measure.world.scene import CELL, COLORS, LETTERS, SHAPES
from training.loop import Plan, run
from training.muon import ConvolutionMuon

BATCH = 32
_READING_WEIGHT = 0.1
_OUTLINE_WEIGHT = 0.3
_OUTLINE_SALIENCE = 4.0
_LEAST_VARIANCE = 0.02
_ENDS = ("conv_in", "conv_out")
_EVEN_SHARE = 0.2
_MIDDLE, _SPREAD = -0.8, 1.0

Predicts = Literal["velocity", "sample"]
"""What a U-Net's output is: Salimans and Ho's velocity (2022, section 4) or the clean sample."""


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """What one training step learns from; B = BATCH.

    `clean` float32 (B, C, H, W); `cells` int64 (B, 8, 12), -1 outside the sign; `shape_cells` bool
    (B, 8, 12); `silhouette` bool (B, 64, 96), the shape's pixels; `named` int64 (B, 2), the shape's colour and kind, -100 where the caption is silent;
    `text` (B, T, D) and the other conditioning `added`; `captioned` bool (B,), False where the caption
    was dropped.
    """

    clean: torch.Tensor
    cells: torch.Tensor
    shape_cells: torch.Tensor
    silhouette: torch.Tensor
    named: torch.Tensor
    text: torch.Tensor
    captioned: torch.Tensor
    added: dict[str, torch.Tensor] = field(default_factory=dict)


class Readers(nn.Module):
    """Linear heads on the mid block's output, one for each thing that a cell can be asked."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.letter = nn.Linear(width, len(LETTERS))
        self.shape_color = nn.Linear(width, len(COLORS))
        self.shape = nn.Linear(width, len(SHAPES))
        self.outline = nn.Linear(width, CELL * CELL)

    def losses(self, picture: torch.Tensor, batch: Examples) -> dict[str, torch.Tensor]:
        """Cross-entropies over the cells that a caption tells of; `picture` is (B, C, 8, 12).

        The outline's is over every pixel of every picture: it is seen, not told.
        """
        states = picture.float().flatten(2).transpose(1, 2)
        cells = batch.cells.flatten(1)
        silent = (cells < 0) | ~batch.captioned[:, None]
        losses = {"reading": _cross_entropy(self.letter(states), cells.masked_fill(silent, -100))}
        silent = ~batch.shape_cells.flatten(1) | ~batch.captioned[:, None]
        heads = {"color": self.shape_color, "shape": self.shape}
        for (key, head), named in zip(heads.items(), batch.named.unbind(1), strict=True):
            truth = named[:, None].expand(silent.shape).masked_fill(silent, -100)
            losses[key] = _cross_entropy(head(states), truth)
        covered = F.pixel_unshuffle(batch.silhouette[:, None].float(), CELL)
        losses["outline"] = F.binary_cross_entropy_with_logits(
            self.outline(states), covered.flatten(2).transpose(1, 2)
        )
        return losses


def _cross_entropy(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean over the cells that are asked, 0 where none is; `logits` (B, N, K), `truth` int64 (B, N)."""
    total = F.cross_entropy(logits.transpose(1, 2), truth, ignore_index=-100, reduction="sum")
    return total / (truth >= 0).sum().clamp_min(1)


def train_unet(
    model: UNet2DConditionModel,
    examples_at: Callable[[int, np.random.Generator], Examples],
    alphas_cumprod: torch.Tensor,
    checkpoint: Path,
    plan: Plan,
    device: torch.device,
    *,
    muon: str,
    seed: int,
    compiled: bool,
    predicts: Predicts = "velocity",
) -> UNet2DConditionModel:
    """Train and return the averaged U-Net. `examples_at(step, rng)` must draw from `rng` alone.

    Muon moves the convolutions and the matrices with `muon` in their names, AdamW the rest. Output
    channels beyond the input's (a learned variance) are left untrained.
    """
    model = model.to(device)
    average = copy.deepcopy(model).eval()
    readers = Readers(model.config.block_out_channels[-1]).to(device)
    parameters = dict(model.named_parameters())
    matrices = {k: p for k, p in parameters.items() if p.ndim == 2 and muon in k}
    # The first and last kernel have pixels or latents on one side, which Muon is not for.
    kernels = {k: p for k, p in parameters.items() if p.ndim == 4 and not k.startswith(_ENDS)}
    rest = [p for k, p in parameters.items() if k not in matrices | kernels]
    optimizers: list[torch.optim.Optimizer] = [
        # A U-Net's attention has no norm of queries and keys: without this decay (or at twice the
        # rate) they grow until the attention to text collapses, after some 900 steps.
        torch.optim.Muon(matrices.values(), lr=0.01, momentum=0.95, weight_decay=0.2),
        ConvolutionMuon(kernels.values(), lr=0.02, momentum=0.95, weight_decay=0.0),
        torch.optim.AdamW(
            [*rest, *readers.parameters()], lr=1e-3, betas=(0.9, 0.95), weight_decay=0.0
        ),
    ]
    seen: dict[str, torch.Tensor] = {}

    def keep(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        seen["picture"] = output

    model.mid_block.register_forward_hook(keep)
    forward: Any = torch.compile(model) if compiled else model
    alphas = alphas_cumprod.to(device)
    monitor: dict[str, torch.Tensor] = {}

    def loss_at(step: int) -> torch.Tensor:
        rng = np.random.default_rng((seed, step))
        batch = examples_at(step, rng)
        noise = torch.from_numpy(rng.standard_normal(batch.clean.shape, dtype=np.float32))
        noise = noise.to(device)
        t = torch.from_numpy(times(rng, BATCH, len(alphas))).to(device)
        signal, sigma = alphas[t].sqrt().view(-1, 1, 1, 1), (1 - alphas[t]).sqrt().view(-1, 1, 1, 1)
        with torch.autocast(device.type, torch.bfloat16):
            output = forward(
                signal * batch.clean + sigma * noise,
                t,
                encoder_hidden_states=batch.text,
                added_cond_kwargs=batch.added or None,
                return_dict=False,
            )[0][:, : batch.clean.shape[1]]
        error = velocity_error(output.float(), batch.clean, noise, signal, sigma, predicts)
        flow = (error * salience(batch.clean, batch.silhouette)).mean()
        named = readers.losses(seen["picture"], batch)
        monitor.update({key: value.detach() for key, value in named.items()})
        outline = named.pop("outline")
        heads = _READING_WEIGHT * torch.stack(list(named.values())).sum()
        return flow + heads + _OUTLINE_WEIGHT * outline

    run(
        name="unet",
        checkpoint=checkpoint,
        plan=plan,
        modules={"model": model, "readers": readers},
        optimizers=optimizers,
        loss_at=loss_at,
        ema=average,
        ema_of=model,
        monitor=monitor,
    )
    return average


def times(rng: np.random.Generator, count: int, steps: int) -> np.ndarray:
    """The steps of the noise schedule that a batch learns: int64 (count,), each below `steps`.

    Four fifths are logit-normal (Esser et al. 2024, section 3.1) around a noise of 0.9, the rest even.
    Outlines are lost there and not in stronger noise: sampling that starts from a true picture under a noise of
    0.97 draws almost as many blots as sampling from pure noise (bench/from_truth.py).
    """
    even = rng.random(count)
    normal = 1 / (1 + np.exp(-rng.normal(_MIDDLE, _SPREAD, count)))
    chosen: np.ndarray = np.where(rng.random(count) < _EVEN_SHARE, even, normal)
    return (chosen * steps).astype(np.int64)


def velocity_error(
    output: torch.Tensor,
    clean: torch.Tensor,
    noise: torch.Tensor,
    signal: torch.Tensor,
    sigma: torch.Tensor,
    predicts: Predicts,
) -> torch.Tensor:
    """The squared error of the velocity that `output` means, elementwise: float32, as `clean`.

    The network saw `signal * clean + sigma * noise`. A sample's error is its velocity's times sigma (Li and
    He 2025, arXiv 2511.13720, section 3), so little noise would count without bound: sigma squared is
    taken to be at least 0.02.
    """
    if predicts == "sample":
        return (output - clean).square() / sigma.square().clamp_min(_LEAST_VARIANCE)
    return (output - (signal * noise - sigma * clean)).square()


def salience(clean: torch.Tensor, silhouette: torch.Tensor) -> torch.Tensor:
    """How much each place counts: float32 (B, 1, H, W), 1 on average over a picture.

    Flat background is most of a picture and soon learnt; what stands out from it (of `clean`, float32
    (B, C, H, W)) counts up to four times as much, and the shape's outline (of `silhouette`, bool
    (B, 64, 96)) four more, or shapes stay blots long after the letters are right.
    """
    distance = (
        (clean - clean.flatten(2).median(-1).values[..., None, None]).abs().mean(1, keepdim=True)
    )
    relative = distance / distance.mean((2, 3), keepdim=True).clamp_min(1e-6)
    weight = 1 + relative.clamp_max(3) + _OUTLINE_SALIENCE * _outline(silhouette, clean.shape[-2:])
    return weight / weight.mean((2, 3), keepdim=True)


def _outline(silhouette: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """1 within two pixels of the shape's edge, else 0: float32 (B, 1, *size)."""
    inside = silhouette[:, None].float()
    grown, shrunk = (F.max_pool2d(x, 5, stride=1, padding=2) for x in (inside, 1 - inside))
    return F.adaptive_max_pool2d(grown + shrunk - 1, size)
