"""Embeddings with the text that they were made of: a weighted prompt (Compel and its kind) under the guard.

Embeddings cannot be read. But where their text is handed in beside them, that can be checked, and so can whether
they are its embeddings: weighting a word moves each of its tokens along one line, away from the empty prompt's or
away from zero. What does not lie on such a line is other text, and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from inkguard.errors import InvalidInput

__all__ = ["check_declared", "given_embeddings"]

_WEIGHTS = (0.5, 2.0)
"""The weights of a token that are taken: Compel's `word++++` is 1.46. With weights near zero most of a text
could be hidden, and something else be left of it. (Compel's weights below 1 blend with an encoding without the
word and lie on no line: they are refused.)"""
_TOLERANCE = 0.02
"""How far a token may lie beside its line, as a share of its distance from where the line starts. Text
encoders round to 0.004 in bfloat16; with the random encoders of `tests/draw/test_declared.py`, which alone were
tried, another text's tokens are 0.2 away or more."""


def given_embeddings(call: Mapping[str, Any], declared: Sequence[str]) -> dict[str, torch.Tensor]:
    """Those of the arguments `declared` that a call gives."""
    return {name: call[name] for name in declared if call.get(name) is not None}


def check_declared(
    adapter: Any, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Sequence[str]]
) -> None:
    """Raise InvalidInput where the call's embeddings are not those of `texts`, weighted or not."""
    given = given_embeddings(call, adapter.declared_arguments)
    if "prompt_embeds" not in given:
        name = next(iter(given))
        raise InvalidInput(name, "it is of no use without prompt_embeds")
    encoded = adapter.encode_declared(pipe, call, texts)
    empty = adapter.encode_declared(pipe, call, {k: [""] * len(v) for k, v in texts.items()})
    if missing := sorted(encoded.keys() - given.keys()):
        raise InvalidInput("prompt_embeds", f"{missing[0]} is needed beside it")
    for name, embeddings in given.items():
        if embeddings.shape != encoded[name].shape:
            raise InvalidInput(
                name,
                f"its shape is {tuple(embeddings.shape)}, and the declared text's embeddings have "
                f"{tuple(encoded[name].shape)}: longer or joined prompts cannot be checked",
            )
        own, start = encoded[name].float(), empty[name].float()
        found = embeddings.to(own)
        fits = _on_line(found, own, start) | _on_line(found, own, torch.zeros_like(own))
        if not bool(fits.all()):
            raise InvalidInput(
                name,
                "these are not the embeddings of the prompt that is given beside them, nor those of its "
                "words at weights from 0.5 to 2: pass the text alone",
            )


def _on_line(found: torch.Tensor, own: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """Which tokens (..., width) of `found` are `start + w * (own - start)` for a weight that is taken."""
    direction, moved = own - start, found - start
    length = direction.square().sum(-1)
    weight = (moved * direction).sum(-1) / length.clamp(min=1e-12)
    beside = (moved - weight[..., None] * direction).norm(dim=-1)
    close = beside <= _TOLERANCE * length.sqrt() + 1e-4
    low, high = _WEIGHTS
    same = length.sqrt() <= 1e-4  # a mark that reads the same in the empty prompt
    return close & (same | ((weight >= low * 0.98) & (weight <= high * 1.02)))
