"""Training that is interrupted ends where an undisturbed run does."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from training.loop import Plan, run
from training.muon import ConvolutionMuon

PLAN = Plan(steps=6, cooldown=0.5, warmup=2, save_every=2)


class Run:
    """One process's part of a training: a model, its average, and the steps whose batches it saw."""

    def __init__(self, checkpoint: Path) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GELU(), nn.Conv2d(8, 3, 1))
        self.average = copy.deepcopy(self.model)
        self.steps: list[int] = []
        self._checkpoint = checkpoint

    def train(self, disturb: Callable[[int], float] = lambda _: 1.0) -> None:
        kernels = [p for p in self.model.parameters() if p.ndim == 4]
        rest = [p for p in self.model.parameters() if p.ndim != 4]

        def loss_at(step: int) -> torch.Tensor:
            factor = disturb(step)
            self.steps.append(step)
            drawn = np.random.default_rng(step).standard_normal((2, 3, 8, 8), dtype=np.float32)
            return factor * self.model(torch.from_numpy(drawn)).square().mean()

        run(
            name="test",
            checkpoint=self._checkpoint,
            plan=PLAN,
            modules={"model": self.model},
            optimizers=[
                ConvolutionMuon(kernels, lr=0.02, momentum=0.9, weight_decay=0.0),
                torch.optim.AdamW(rest, lr=0.01),
            ],
            loss_at=loss_at,
            ema=self.average,
            ema_of=self.model,
        )


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    """From its last checkpoint: the same batches, rates, moments and average, bit by bit."""
    whole, first, second = Run(tmp_path / "a.pt"), Run(tmp_path / "b.pt"), Run(tmp_path / "b.pt")
    whole.train()

    def stop(step: int) -> float:
        if step == 3:
            raise KeyboardInterrupt
        return 1.0

    with pytest.raises(KeyboardInterrupt):
        first.train(stop)
    second.train()
    assert (whole.steps, first.steps, second.steps) == ([*range(6)], [0, 1, 2], [2, 3, 4, 5])
    for name in ("model", "average"):
        for a, b in zip(
            getattr(whole, name).parameters(), getattr(second, name).parameters(), strict=True
        ):
            assert torch.equal(a, b)
    assert not (tmp_path / "b.tmp").exists()


def test_a_loss_that_is_not_finite_ends_the_training_at_its_step(tmp_path: Path) -> None:
    """The checkpoint before it is kept and named."""
    training = Run(tmp_path / "a.pt")
    with pytest.raises(
        FloatingPointError, match=r"loss is nan at step 2; last checkpoint: .*a\.pt"
    ):
        training.train(lambda step: float("nan") if step == 2 else 1.0)
    assert torch.load(tmp_path / "a.pt", weights_only=True)["step"] == 2
