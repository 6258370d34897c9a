"""How the outputs and the state of two denoisers are compared."""

from __future__ import annotations

import torch

# Largest difference over the mean size of the output: a few roundings of float32, and the
# 8 bits of bfloat16, which round differently where the attention is split.
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 0.2}


def snapshot(model: torch.nn.Module) -> list[object]:
    """Everything that an edit could leave behind: hooks, processors, attributes."""
    state: list[object] = []
    for name, module in model.named_modules():
        state.append((name, sorted(module.__dict__), id(getattr(module, "processor", None))))
        state.append((len(module._forward_hooks), len(module._forward_pre_hooks)))
    return state


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    """The largest difference over the mean size of `b`."""
    return float((a - b).float().abs().max() / b.float().abs().mean())
