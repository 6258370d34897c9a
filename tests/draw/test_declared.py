"""Embeddings with the text that they were made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from inkguard.draw.declared import check_declared
from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.errors import InvalidInput
from inkguard.families.registry import adapter_for
from inkguard.guard import Guard
from inkguard.types import Action, Rung
from tests.families.calls import HARMLESS, TOXIC, call, manifest, plain
from tests.families.pipelines import parts_of, pipeline

NAMES = ("StableDiffusionPipeline", "StableDiffusionXLPipeline")
EVERY = pytest.mark.parametrize("name", NAMES)


@cache
def pipe_of(name: str) -> Any:
    return pipeline(name, parts_of(name))


def encoded(pipe: Any, prompts: list[str]) -> dict[str, torch.Tensor]:
    return adapter_for(pipe).encode_declared(pipe, {}, {"prompt": prompts})


def compel(weights: torch.Tensor) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Weights above 1 as Compel applies them: away from the empty prompt's tokens."""
    return lambda own, empty: empty + weights[:, None] * (own - empty)


def scaled(weights: torch.Tensor) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Each token's embedding times its weight, as web interfaces do."""
    return lambda own, _empty: weights[:, None] * own


def weighted(pipe: Any, prompts: list[str], how: Any) -> dict[str, torch.Tensor]:
    own, empty = encoded(pipe, prompts), encoded(pipe, [""] * len(prompts))
    states = how(own["prompt_embeds"], empty["prompt_embeds"])
    return {**own, "prompt_embeds": states}


def weights_of(pipe: Any, seed: int = 0) -> torch.Tensor:
    tokens = encoded(pipe, [HARMLESS])["prompt_embeds"].shape[1]
    return 1.0 + 0.6 * torch.rand(tokens, generator=torch.Generator().manual_seed(seed))


@EVERY
@pytest.mark.parametrize("how", [compel, scaled])
def test_weighted_embeddings_of_the_declared_text_are_taken(name: str, how: Any) -> None:
    """In float32, and rounded to bfloat16."""
    pipe = pipe_of(name)
    given = weighted(pipe, [HARMLESS], how(weights_of(pipe)))
    if how is scaled:
        given = weighted(pipe, [HARMLESS], how(weights_of(pipe) - 0.4))
    for embeddings in (given, {k: v.bfloat16() for k, v in given.items()}):
        check_declared(adapter_for(pipe), pipe, embeddings, {"prompt": [HARMLESS]})


@EVERY
def test_another_texts_embeddings_are_refused(name: str) -> None:
    """One other word is enough, weighted or not; so is a weight that would hide a word."""
    pipe = pipe_of(name)
    other = encoded(pipe, [TOXIC])
    alike = encoded(pipe, [HARMLESS.replace("WELCOME", "WELCOMB")])
    hidden = weights_of(pipe).clone()
    hidden[3] = 0.05
    for given in (
        other,
        alike,
        weighted(pipe, [TOXIC], compel(weights_of(pipe))),
        weighted(pipe, [HARMLESS], compel(hidden)),
        weighted(pipe, [HARMLESS], compel(-weights_of(pipe))),
        {k: torch.zeros_like(v) for k, v in other.items()},
        {k: torch.full_like(v, torch.nan) for k, v in other.items()},
    ):
        with pytest.raises(InvalidInput, match=r"^prompt_embeds: these are not"):
            check_declared(adapter_for(pipe), pipe, given, {"prompt": [HARMLESS]})


def test_pooled_embeddings_are_looked_at_as_well() -> None:
    """Those of another text are refused beside the right ones, and missing ones are named."""
    pipe = pipe_of("StableDiffusionXLPipeline")
    own, other = encoded(pipe, [HARMLESS]), encoded(pipe, [TOXIC])
    pooled = {**own, "pooled_prompt_embeds": other["pooled_prompt_embeds"]}
    with pytest.raises(InvalidInput, match=r"^pooled_prompt_embeds: these are not"):
        check_declared(adapter_for(pipe), pipe, pooled, {"prompt": [HARMLESS]})
    alone = {"prompt_embeds": own["prompt_embeds"]}
    with pytest.raises(InvalidInput, match=r"^prompt_embeds: pooled_prompt_embeds is needed"):
        check_declared(adapter_for(pipe), pipe, alone, {"prompt": [HARMLESS]})


@EVERY
def test_longer_embeddings_are_refused_by_their_shape(name: str) -> None:
    """As of prompts that were encoded in pieces."""
    pipe = pipe_of(name)
    given = encoded(pipe, [HARMLESS])
    given["prompt_embeds"] = torch.cat([given["prompt_embeds"]] * 2, dim=1)
    with pytest.raises(InvalidInput, match="its shape is"):
        check_declared(adapter_for(pipe), pipe, given, {"prompt": [HARMLESS]})


@EVERY
def test_declared_embeddings_are_drawn_under_the_guard(guard: Guard, name: str) -> None:
    """A harmless row is the bare pipeline's, bit by bit; a toxic row reads its donor at the sites.

    Where the sites are not enough, its embeddings are the donor prompt's.
    """
    pipe = pipe_of(name)
    prompts = [HARMLESS, TOXIC]
    given = weighted(pipe, prompts, compel(weights_of(pipe)))
    arguments = call(pipe, prompts, num_inference_steps=2)
    bare = plain(pipe, {**arguments, "prompt": None, **given})
    found = manifest(pipe, (1,))

    def drawn(reader: Any) -> Any:
        wrapped = GuardedPipeline(pipe, guard.checker, manifest=found, reader=reader)
        arguments["generator"].manual_seed(3)
        return wrapped.draw({**arguments, **given})

    drawing = drawn(None)
    assert [d.action for d in drawing.decisions] == [Action.ALLOW, Action.SUBSTITUTE]
    assert drawing.rungs == [Rung.UNGUARDED, Rung.SITES]
    assert np.array_equal(drawing.output.images[0], bare[0])
    assert not np.array_equal(drawing.output.images[1], bare[1])

    class StillThereOnce:
        """Reads the word in the first picture that it is shown."""

        texts = iter(["IDIOT"])

        def read(self, image: Any) -> str:
            return next(self.texts, "")

    swapped = drawn(StillThereOnce())
    assert swapped.rungs == [Rung.UNGUARDED, Rung.ALL_LAYERS]
    donor = swapped.decisions[1].donor_prompt
    own = {k: torch.stack([v[0], encoded(pipe, [HARMLESS, donor])[k][1]]) for k, v in given.items()}
    expected = plain(pipe, {**arguments, "prompt": None, **own})
    assert np.array_equal(swapped.output.images, expected)


def test_embeddings_without_their_text_are_refused(guard: Guard) -> None:
    """The error says that the text may stand beside them."""
    pipe = pipe_of("StableDiffusionPipeline")
    wrapped = GuardedPipeline(pipe, guard.checker, manifest=manifest(pipe, (1,)), reader=None)
    with pytest.raises(InvalidInput, match="beside its prompt"):
        wrapped(**encoded(pipe, [HARMLESS]))
