"""How often each text is encoded for a flagged call, in every family."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

from inkguard.families.registry import adapter_for
from tests.families.calls import DONORS, HARMLESS, TOXIC, call, draw, manifest, plain, snapshot
from tests.families.pipelines import FAMILIES

DONOR = DONORS["longer"]
NEGATIVE = {"negative_prompt": ["a blue circle"]}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The nets are so small that a second thread only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def encoders(pipe: Any) -> list[Any]:
    found = (getattr(pipe, f"text_encoder{n}", None) for n in ("", "_2", "_3"))
    return [encoder for encoder in found if encoder is not None]


def count(pipe: Any) -> list[Any]:
    """A list that grows by one entry for each run of a text encoder."""
    runs: list[Any] = []
    for encoder in encoders(pipe):
        encoder.register_forward_hook(lambda *_: runs.append(1))
    return runs


@pytest.mark.parametrize("family", FAMILIES)
def test_a_flagged_call_encodes_its_donors_and_nothing_else_twice(family: str) -> None:
    """One run an encoder more than the bare pipeline; none where the donor reads like the prompt."""
    pipe = FAMILIES[family]()
    arguments = call(pipe, [TOXIC])
    runs = count(pipe)
    plain(pipe, arguments)
    bare, before = len(runs), snapshot(pipe)
    runs.clear()
    draw(pipe, arguments, (1,), [0], [DONOR])
    assert bare < len(runs) <= bare + len(encoders(pipe))
    runs.clear()
    draw(pipe, arguments, (1,), [0], [TOXIC])
    assert len(runs) == bare
    assert snapshot(pipe) == before


@pytest.mark.parametrize("family", ["sd3", "sdxl", "if", "flux", "qwen", "pixart-sigma", "sana"])
def test_negative_prompts_are_encoded_once_too(family: str) -> None:
    """They are looked at before the pipeline reads them."""
    pipe = FAMILIES[family]()
    guidance = {"true_cfg_scale": 4.0} if family in ("flux", "qwen") else {"guidance_scale": 4.0}
    arguments = call(pipe, [TOXIC], **NEGATIVE, **guidance)
    runs = count(pipe)
    plain(pipe, arguments)
    bare = len(runs)
    runs.clear()
    draw(pipe, arguments, (1,), [0], [TOXIC])
    assert len(runs) == bare


@pytest.mark.parametrize("family", FAMILIES)
def test_pictures_are_those_of_text_that_is_encoded_anew(family: str) -> None:
    """Bit by bit, flagged rows and others, with several pictures of each prompt."""
    pipe = FAMILIES[family]()
    arguments = call(pipe, [HARMLESS, TOXIC], num_inference_steps=2, num_images_per_prompt=2)
    kept = draw(pipe, arguments, (1,), [1], [HARMLESS, DONOR])
    texts = {"prompt": [HARMLESS, DONOR]}
    edit = adapter_for(pipe).substituted(pipe, manifest(pipe, (1,)), arguments, [1], texts)
    edit.while_encoding(nullcontext)
    with edit:
        expected = plain(pipe, arguments)
    assert np.array_equal(kept, expected)


def test_what_was_encoded_is_dropped_before_the_first_step() -> None:
    """The encoders are as they were, and no output of theirs is held while the denoiser runs."""
    pipe = FAMILIES["sd3"]()
    outputs: list[weakref.ref[Any]] = []
    for encoder in encoders(pipe):
        encoder.register_forward_hook(lambda _m, _a, output: outputs.append(weakref.ref(output)))
    before = [dict(vars(encoder)) for encoder in encoders(pipe)]
    seen: list[bool] = []

    def look(*_: Any) -> None:
        assert [dict(vars(encoder)) for encoder in encoders(pipe)] == before
        seen.append(all(output() is None for output in outputs))

    pipe.transformer.pos_embed.register_forward_hook(look)
    draw(pipe, call(pipe, [TOXIC]), (1,), [0], [DONOR])
    assert len(outputs) > 3
    assert seen
    assert all(seen)


def test_an_exception_leaves_the_encoders_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the adapter encodes, and where the pipeline does."""
    pipe = FAMILIES["sd3"]()
    arguments = call(pipe, [TOXIC])
    plain(pipe, arguments)
    before = snapshot(pipe)
    original, left = pipe.encode_prompt, [0]

    def fail(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("no text today")
        return original(*args, **kwargs)

    monkeypatch.setattr(pipe, "encode_prompt", fail)
    for succeed in (1, 2):
        left[0] = succeed
        with pytest.raises(RuntimeError, match="no text today"):
            draw(pipe, arguments, (1,), [0], [DONOR])
        assert snapshot(pipe) == before


@pytest.mark.parametrize("way", ["wrapped", "method"])
def test_compiled_encoders_stay_compiled(way: str) -> None:
    """Flagged calls use their graphs and add none."""
    torch._dynamo.reset()
    pipe = FAMILIES["flux"]()
    for name in ("text_encoder", "text_encoder_2"):
        if way == "method":
            getattr(pipe, name).compile(backend="eager")
        else:
            setattr(pipe, name, torch.compile(getattr(pipe, name), backend="eager"))
    arguments = call(pipe, [HARMLESS, TOXIC], num_inference_steps=1)
    bare, before = plain(pipe, arguments), snapshot(pipe)
    graphs = counters["stats"]["unique_graphs"]
    for _ in range(2):
        edited = draw(pipe, arguments, (1,), [1], [HARMLESS, DONOR])
        assert np.array_equal(edited[0], bare[0])
        assert not np.array_equal(edited[1], bare[1])
        assert np.array_equal(plain(pipe, arguments), bare)
        assert snapshot(pipe) == before
    assert counters["stats"]["unique_graphs"] == graphs
