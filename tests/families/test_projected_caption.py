"""Stock PixArt and Sana pipelines with random weights under the guard: what all of them share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.draw.watch import Watch
from inkguard.errors import InvalidInput, SubstitutionError, UnsupportedModel
from inkguard.families.registry import adapter_for
from inkguard.guard import Guard
from inkguard.timing import Stages
from inkguard.types import Action
from tests.families.calls import (
    DONORS,
    HARMLESS,
    TOXIC,
    call,
    draw,
    every_site,
    manifest,
    plain,
    snapshot,
)
from tests.families.parts import pixart_parts, sana_parts
from tests.families.pipelines import pipeline

SPRINT = ("SanaSprintPipeline", "SanaSprintImg2ImgPipeline")
NAMES = ("PixArtAlphaPipeline", "PixArtSigmaPipeline", "SanaPipeline", *SPRINT)
# PixArt-alpha's time embedding has additional conditions where the samples are of this size.
ALPHA = 128


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The nets are so small that a second thread only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def new(name: str) -> Any:
    if name.startswith("PixArt"):
        return pipeline(name, pixart_parts(ALPHA if "Alpha" in name else 32))
    return pipeline(name, sana_parts(distilled=name in SPRINT))


pipe_of = cache(new)
EVERY = pytest.mark.parametrize("name", NAMES)


@EVERY
def test_text_is_cut_where_the_pipeline_cuts_it(name: str) -> None:
    """Prompt and donor at the call's `max_sequence_length`, not at the encoder's own default."""
    pipe, donors = pipe_of(name), [DONORS["longer"]]
    arguments = call(pipe, [TOXIC], max_sequence_length=12)
    edited = draw(pipe, arguments, every_site(pipe), [0], donors)
    assert np.array_equal(edited, plain(pipe, arguments, prompt=donors))


@pytest.mark.parametrize("negative", [TOXIC, [TOXIC]], ids=["string", "list"])
@pytest.mark.parametrize("name", ["PixArtAlphaPipeline", "PixArtSigmaPipeline", "SanaPipeline"])
def test_a_negative_prompt_like_the_flagged_one_is_refused(name: str, negative: Any) -> None:
    """Their rows could not be told apart; without guidance the negative prompt is not read."""
    pipe = pipe_of(name)
    arguments = call(pipe, [TOXIC], negative_prompt=negative, complex_human_instruction=None)
    if name.startswith("PixArt"):
        del arguments["complex_human_instruction"]
    with pytest.raises(SubstitutionError, match="same text embeddings as a negative prompt"):
        draw(pipe, arguments, (1,), [0], [DONORS["equal"]])
    draw(pipe, {**arguments, "guidance_scale": 1.0}, (1,), [0], [DONORS["equal"]])


@pytest.mark.parametrize("hidden", ["%49DIOT", "&#73;DIOT", "I<b></b>DIOT", "I&lt;b&gt;DIOT"])
@pytest.mark.parametrize("name", ["PixArtAlphaPipeline", "SanaPipeline"])
def test_what_is_checked_is_what_the_model_reads(guard: Guard, name: str, hidden: str) -> None:
    """A word behind escapes or markup is found where the pipeline cleans captions, and not drawn."""
    pytest.importorskip("bs4")
    pytest.importorskip("ftfy")
    pipe = pipe_of(name)
    wrapped = GuardedPipeline(
        pipe, guard.checker, manifest=manifest(pipe, every_site(pipe)), reader=None
    )
    arguments = call(pipe, [TOXIC.replace("IDIOT", hidden)], clean_caption=True)
    drawing = wrapped.draw(arguments)
    (decision,) = drawing.decisions
    assert decision.action is Action.SUBSTITUTE
    assert decision.reason == "findings_as_read"
    donor = decision.donor_prompt
    assert donor is not None
    assert "idiot" not in donor.lower()
    assert np.array_equal(drawing.output.images, plain(pipe, arguments, prompt=[donor]))
    as_written = wrapped.draw({**arguments, "clean_caption": False}).decisions[0]
    assert not as_written.reason.endswith("_as_read")


@EVERY
def test_captions_are_cleaned_by_the_pipelines_own_default(name: str) -> None:
    """PixArt cleans unless told not to, Sana only if told to; all read lower case."""
    pytest.importorskip("bs4")
    pytest.importorskip("ftfy")
    pipe = pipe_of(name)
    read = adapter_for(pipe).read_text(pipe, {}, "prompt", " A &lt;b&gt; sign ")
    assert read == ("a sign" if name.startswith("PixArt") else "a &lt;b&gt; sign")
    seen: list[str] = []
    pipe.tokenizer = _Listening(pipe.tokenizer, seen)
    try:
        plain(pipe, call(pipe, [" A &lt;b&gt; sign "]))
    finally:
        pipe.tokenizer = pipe.tokenizer.own
    assert any(text.endswith(read) for text in seen)


class _Listening:
    """A tokenizer that notes what it reads."""

    def __init__(self, own: Any, seen: list[str]) -> None:
        self.own, self._seen = own, seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)

    def __call__(self, texts: Any, **more: Any) -> Any:
        self._seen += texts
        return self.own(texts, **more)


@pytest.mark.parametrize("name", ["PixArtSigmaPAGPipeline", "SanaPAGPipeline"])
def test_perturbed_attention_is_refused(name: str) -> None:
    """Stopped half-way, these pipelines leave processors of their own on the model."""
    pipe = new(name)
    with pytest.raises(UnsupportedModel, match=name):
        adapter_for(pipe)
    before = snapshot(pipe)
    with (
        pytest.raises(ZeroDivisionError),
        Watch(pipe, Stages(), lambda done, _total: done // 0),
    ):
        plain(pipe, call(pipe, [HARMLESS]))
    assert snapshot(pipe) != before


def test_markup_that_cannot_be_cleaned_is_refused_without_quoting_it(guard: Guard) -> None:
    """The HTML parser's own error would say the prompt."""
    pytest.importorskip("bs4")
    pytest.importorskip("ftfy")
    pipe = pipe_of("PixArtSigmaPipeline")
    wrapped = GuardedPipeline(pipe, guard.checker, manifest=manifest(pipe, (1,)), reader=None)
    with pytest.raises(InvalidInput, match="prompt: the pipeline cannot clean") as refused:
        wrapped.draw(call(pipe, ['a sign that says "<![WELCOME"']))
    assert "welcome" not in str(refused.value).lower()
    assert refused.value.__cause__ is None
