"""FLOPs and peak memory of one denoising step, counted on the meta device at real configurations."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import torch
from substitution_families import FAMILIES, KIND, Family
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from inkguard.edit.rows import FlaggedPrompt

__all__ = ["HEAD", "rows"]

HEAD = (
    "| model | px | guided | unguarded | sites | substitution | its peak memory | an extra row | two passes |\n"
    "|---|---:|---|---:|---|---:|---:|---:|---:|"
)


class PeakMemory(TorchDispatchMode):
    """The most bytes of tensors that were alive at once, those that existed before left out."""

    def __init__(self) -> None:
        super().__init__()
        self._live: dict[int, int] = {}
        self._now = self.peak = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        known = {
            t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if torch.is_tensor(t)
        }
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if torch.is_tensor(tensor):
                storage = tensor.untyped_storage()
                key = storage._cdata
                if key not in known and key not in self._live:
                    self._live[key] = storage.nbytes()
                    self._now += storage.nbytes()
                    weakref.finalize(storage, self._free, key)
        self.peak = max(self.peak, self._now)
        return out

    def _free(self, key: int) -> None:
        self._now -= self._live.pop(key, 0)


def _call(family: Family, model: Any, batch: int, pixels: int) -> None:
    tokens, width = family.text
    mask = {"encoder_attention_mask": torch.ones(batch, tokens, device="meta")}
    with torch.no_grad():
        model(
            timestep=torch.empty(batch, **KIND),
            encoder_hidden_states=torch.empty(batch, tokens, width, **KIND),
            **(mask if family.masked else {}),
            **family.inputs(batch, pixels),
        )


def _count(
    family: Family, model: Any, batch: int, pixels: int, sites: Any = None
) -> tuple[int, int]:
    """FLOPs and peak bytes of one denoiser call, with substitution in its last row where `sites` are given."""
    tokens, width = family.text
    donor = torch.empty(tokens, width, **KIND)
    mask = torch.ones(tokens, device="meta") if family.masked else None
    flagged = [FlaggedPrompt(donor, donor, donor_mask=mask)]
    with family.edit(model, sites, flagged) if sites else nullcontext():
        with FlopCounterMode(display=False) as counter:
            _call(family, model, batch, pixels)
        with PeakMemory() as memory:
            _call(family, model, batch, pixels)
    return int(counter.get_total_flops()), memory.peak


def rows(only: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """One row for each model, size, guidance and set of sites."""
    for family in FAMILIES:
        if only and family.name not in only:
            continue
        with torch.device("meta"):
            model = family.model().to(torch.bfloat16)
        weights = sum(p.nbytes for p in model.parameters())
        for pixels in (family.pixels, family.pixels // 2):
            for guided in (True, False):
                yield from _sized(family, model, weights, pixels, guided)


def _sized(
    family: Family, model: Any, weights: int, pixels: int, guided: bool
) -> Iterator[dict[str, Any]]:
    batch = 2 if guided and family.one_call else 1
    call, peak = _count(family, model, batch, pixels)
    extra, _ = _count(family, model, batch + 1, pixels)
    other = call if guided and not family.one_call else 0
    for source, sites in family.sites.items():
        edited, edited_peak = _count(family, model, batch, pixels, sites)
        base = call + other
        yield {
            "model": family.name,
            "pixels": pixels,
            "guided": guided,
            "unguarded_tflops": base / 1e12,
            "sites": f"{', '.join(map(str, sites))} ({source})",
            "substitution": (edited + other) / base,
            "memory": (weights + edited_peak) / (weights + peak),
            "extra_row": (extra + other) / base,
            "two_passes": 2.0,
        }
