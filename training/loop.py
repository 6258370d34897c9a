"""One resumable training loop for every part of a reference model."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how fast: warm up, hold, then fall linearly to zero over the last part."""

    steps: int
    cooldown: float = 0.3
    warmup: int = 100
    save_every: int = 50

    def scale(self, step: int) -> float:
        """The factor on every learning rate at `step` (0-based)."""
        falling = (self.steps - step) / max(1.0, self.steps * self.cooldown)
        return min(1.0, (step + 1) / self.warmup, falling)


def run(
    *,
    name: str,
    checkpoint: Path,
    plan: Plan,
    modules: dict[str, nn.Module],
    optimizers: Sequence[torch.optim.Optimizer],
    loss_at: Callable[[int], torch.Tensor],
    ema: nn.Module | None = None,
    ema_of: nn.Module | None = None,
    monitor: dict[str, torch.Tensor] | None = None,
) -> None:
    """Train `modules` for `plan.steps` steps, going on from `checkpoint` where it exists.

    `loss_at(step)` must draw its batch from `step` alone, so that a resumed run sees the batches
    that an uninterrupted one would. `ema`, where given, follows `ema_of` by an exponential moving
    average whose horizon grows to 1,000 steps. What `loss_at` leaves in `monitor` is shown beside the
    loss. Raises FloatingPointError when the loss is not finite.
    """
    start = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=_device(modules), weights_only=True)
        start = int(state["step"])
        for key, module in modules.items():
            module.load_state_dict(state["modules"][key])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        if ema is not None:
            ema.load_state_dict(state["ema"])
    rates = [[group.get("base_lr", group["lr"]) for group in o.param_groups] for o in optimizers]
    parameters = [p for module in modules.values() for p in module.parameters()]

    def save(step: int) -> None:
        partial = checkpoint.with_suffix(".tmp")
        state = {
            "step": step,
            "modules": {k: m.state_dict() for k, m in modules.items()},
            "optimizers": [o.state_dict() for o in optimizers],
            "ema": ema.state_dict() if ema is not None else {},
        }
        torch.save(state, partial)
        partial.replace(checkpoint)

    mean = math.nan
    bar = tqdm(
        range(start, plan.steps),
        initial=start,
        total=plan.steps,
        desc=name,
        unit="step",
        mininterval=5,
    )
    for step in bar:
        scale = plan.scale(step)
        for optimizer, base in zip(optimizers, rates, strict=True):
            for group, lr in zip(optimizer.param_groups, base, strict=True):
                group["base_lr"], group["lr"] = lr, lr * scale
            optimizer.zero_grad(set_to_none=True)
        loss = loss_at(step)
        if not math.isfinite(value := loss.item()):
            raise FloatingPointError(
                f"{name}: loss is {value} at step {step}; last checkpoint: {checkpoint}"
            )
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        for optimizer in optimizers:
            optimizer.step()
        if ema is not None and ema_of is not None:
            decay = min(0.999, (step + 1) / (step + 10))
            with torch.no_grad():
                averaged: list[torch.Tensor] = list(ema.parameters())
                current: list[torch.Tensor] = list(ema_of.parameters())
                torch._foreach_lerp_(averaged, current, 1 - decay)
        mean = value if math.isnan(mean) else 0.98 * mean + 0.02 * value
        if step % 10 == 0:
            shown = {k: f"{v.item():.3f}" for k, v in (monitor or {}).items()}
            bar.set_postfix({"loss": f"{mean:.4f}", **shown}, refresh=False)
        if step == start:
            # A compiled model leaves so many objects that collecting them takes a tenth of each step.
            gc.collect()
            gc.freeze()
        if (step + 1) % plan.save_every == 0 or step + 1 == plan.steps:
            save(step + 1)


def _device(modules: dict[str, nn.Module]) -> torch.device:
    return next(next(iter(modules.values())).parameters()).device
