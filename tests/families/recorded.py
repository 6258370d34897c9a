"""One call of a small pipeline's denoiser, as the pipeline makes it, with the family's own edit of it.

The pipeline draws once and its first denoiser call is kept. A test then makes that call again, within an edit or
without, at the cost of one forward pass and whatever the family is.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from inkguard.edit.shadow_stream import ShadowStream
from inkguard.edit.substitution import Substitution
from inkguard.families.registry import adapter_for
from tests.draw.cases import case_of
from tests.families.calls import DONORS, HARMLESS, TOXIC, call, every_site, manifest, plain

__all__ = ["Recorded", "fresh", "recorded", "relative", "snapshot"]

_TEXT = ("encoder_hidden_states", "encoder_attention_mask", "txt_")
"""How the names of denoiser arguments begin that hold the text which sites read."""
_ROUNDING = {torch.float32: 1e-5, torch.bfloat16: 0.2}
"""Largest difference over the mean size of the output, where the edit splits attention in two: a few
roundings of float32, and the 8 bits of bfloat16."""


@dataclass(kw_only=True)
class Recorded:
    """A denoiser's call with a harmless and a toxic prompt, and with the donor in the toxic one's place."""

    pipe: Any
    arguments: dict[str, Any]
    own: tuple[tuple[Any, ...], dict[str, Any]]
    donor: tuple[tuple[Any, ...], dict[str, Any]]
    tolerance: float

    @property
    def denoiser(self) -> Any:
        return adapter_for(self.pipe).denoiser(self.pipe)

    @property
    def every(self) -> tuple[int, ...]:
        return every_site(self.pipe)

    def some(self) -> Iterator[tuple[int, ...]]:
        """Sites to edit at: each one of the first and last, two of them, and all."""
        first, last = self.every[0], self.every[-1]
        yield from ((first,), (last,), (first, last), self.every)

    def edit(
        self, sites: Sequence[int], donor: str = DONORS["longer"], **more: Any
    ) -> Substitution:
        donors = {"prompt": [HARMLESS, donor]}
        found = manifest(self.pipe, sites, **more)
        return adapter_for(self.pipe).substituted(self.pipe, found, self.arguments, [1], donors)

    def run(self, **changed: Any) -> torch.Tensor:
        """The output (B, ...) of the call with the prompts' own text."""
        return self._run(self.own, changed)

    def run_later(self) -> torch.Tensor:
        """The output of the same call at a later step."""
        args, kwargs = self.own
        if "timestep" in kwargs:
            return self._run((args, {**kwargs, "timestep": kwargs["timestep"] * 0.5}), {})
        sample, time, *more = args
        return self._run(((sample, time * 0.5, *more), kwargs), {})

    def run_donor(self, *, pooled: bool) -> torch.Tensor:
        """With the donor's text, and with its pooled text if that is wanted."""
        if pooled:
            return self._run(self.donor, {})
        text = {k: v for k, v in self.donor[1].items() if k.startswith(_TEXT)}
        with self._pooling_held():
            return self._run(self.own, text)

    def rows(self) -> list[int]:
        """Those of the batch that carry the toxic prompt: the donor changes no others."""
        own, donor = (call[1]["encoder_hidden_states"] for call in (self.own, self.donor))
        tokens = max(own.shape[1], donor.shape[1])
        own, donor = (F.pad(x, (0, 0, 0, tokens - x.shape[1])) for x in (own, donor))
        # In a batch that is padded to another length, text may round differently.
        moved = (own - donor).abs().flatten(1).amax(1) > own.abs().mean()
        return moved.nonzero().flatten().tolist()

    def _run(self, given: Any, changed: dict[str, Any]) -> torch.Tensor:
        args, kwargs = given
        with torch.no_grad():
            output = self.denoiser(*args, **{**kwargs, **changed})
        return output[0] if isinstance(output, tuple) else output.sample

    @contextmanager
    def _pooling_held(self) -> Iterator[None]:
        """What IF pools of the text inside of its U-Net stays the prompt's own."""
        pooling = getattr(self.denoiser, "add_embedding", None)
        if pooling is None or self.denoiser.config.get("addition_embed_type") != "text":
            yield
            return
        seen: list[torch.Tensor] = []
        hook = pooling.register_forward_hook(lambda *given: seen.append(given[2]))
        self.run()
        hook.remove()
        hook = pooling.register_forward_hook(lambda *_: seen[0])
        yield
        hook.remove()


def _record(pipe: Any, arguments: dict[str, Any], **more: Any) -> Any:
    calls: list[Any] = []
    hook = (
        adapter_for(pipe)
        .denoiser(pipe)
        .register_forward_pre_hook(
            lambda _module, args, kwargs: calls.append(copy.deepcopy((args, kwargs))),
            with_kwargs=True,
        )
    )
    pictures: np.ndarray[Any, Any] = plain(pipe, arguments, **more)
    hook.remove()
    assert np.isfinite(pictures).all()
    return calls[0]


def fresh(family: str, dtype: torch.dtype = torch.float32) -> Recorded:
    """With a pipeline that the test may change."""
    pipe = copy.deepcopy(case_of(family).pipe).to(dtype)
    arguments = call(pipe, [HARMLESS, TOXIC], num_inference_steps=2)
    joint = issubclass(adapter_for(pipe).edit, ShadowStream)
    return Recorded(
        pipe=pipe,
        arguments=arguments,
        own=_record(pipe, arguments),
        donor=_record(pipe, arguments, prompt=[HARMLESS, DONORS["longer"]]),
        tolerance=_ROUNDING[dtype] if joint else 0.0,
    )


recorded = cache(fresh)
"""For tests that leave the model as it was, which the fourth property says of all that only edit it."""


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    """The largest difference over the mean size of `b`."""
    return float((a - b).float().abs().max() / b.float().abs().mean())


def snapshot(model: torch.nn.Module) -> list[object]:
    """Everything that an edit could leave behind: hooks, processors, attributes."""
    return [
        (
            name,
            sorted(vars(module)),
            id(getattr(module, "processor", None)),
            len(module._forward_hooks),
            len(module._forward_pre_hooks),
        )
        for name, module in model.named_modules()
    ]
