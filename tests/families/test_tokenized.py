"""What tokenizers leave of a text."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import CLIPTokenizer, PreTrainedTokenizer, PreTrainedTokenizerFast

from inkguard.check.checker import Checker
from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.errors import InvalidInput
from inkguard.families.registry import adapter_for
from inkguard.families.sd.adapter import SdAdapter
from inkguard.families.tokenized import readings, refuse_learned_tokens, written_out
from inkguard.guard import Guard
from inkguard.types import Action
from tests.families.calls import DONORS, HARMLESS, TOXIC, call, manifest, plain
from tests.families.pipelines import FAMILIES

WITH_CLIP = ("sd3", "flux")


@cache
def pipe_of(family: str) -> Any:
    return FAMILIES[family]()


def read_by_the_encoder(tokenizer: Any, text: str, limit: int | None = None) -> str:
    """What a tokenizer hands on, as letters again; words that it does not know are its own mark."""
    ids = tokenizer(text, truncation=limit is not None, max_length=limit).input_ids
    return str(tokenizer.decode(ids)).replace(" ", "")


@pytest.mark.parametrize(
    "family", [f for f in FAMILIES if f not in ("qwen", "sana", "sana-sprint")]
)
@pytest.mark.parametrize("extra", range(12))
def test_a_cut_text_is_what_the_encoder_reads(family: str, extra: int) -> None:
    """Wherever the cut falls, in the middle of a word too: both are tokenized to the same letters."""
    pipe = pipe_of(family)
    text = "ab" * extra + " sign " + "DICKENS and PASTA " * 60
    limit = {"max_sequence_length": 40}
    found = readings(adapter_for(pipe), pipe, limit, text)
    assert found
    for number in ("", "_2", "_3"):
        tokenizer = getattr(pipe, f"tokenizer{number}", None)
        encoder = getattr(pipe, f"text_encoder{number}", None)
        if tokenizer is None:
            continue
        clip = "CLIP" in type(encoder).__name__
        read = read_by_the_encoder(tokenizer, text, tokenizer.model_max_length if clip else 40)
        assert read in [read_by_the_encoder(tokenizer, reading) for reading in found]


@pytest.mark.parametrize("family", ["qwen", "sana-sprint"])
def test_within_a_template_every_place_of_the_cut_is_given(family: str) -> None:
    """A few tokens more and less: what the template's own tokens join with is not known."""
    text = "a sign " * 20 + "DICKENS"
    found = readings(
        adapter_for(pipe_of(family)), pipe_of(family), {"max_sequence_length": 40}, text
    )
    assert len(found) > 1
    assert all(text.startswith(reading) for reading in found)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_short_text_is_read_as_it_is(family: str) -> None:
    """Nothing is checked twice then."""
    assert readings(adapter_for(pipe_of(family)), pipe_of(family), {}, HARMLESS[:12]) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_special_tokens_are_no_letters(family: str) -> None:
    """The word around one is read without it, and as two words."""
    token = pipe_of(family).tokenizer.all_special_tokens[0]
    found = readings(adapter_for(pipe_of(family)), pipe_of(family), {}, f"LOS{token}ER")
    assert {"LOSER", "LOS ER"} <= {*found}


def test_the_sign_that_pads_is_drawn() -> None:
    """SD 2 pads with an exclamation mark; a text with one in it is read as it is."""
    pipe = FAMILIES["sdxl"]()
    pipe.tokenizer_2.pad_token = "!"
    assert readings(adapter_for(pipe), pipe, {}, "HELLO!") == []


def cut_to(pipe: Any, word: str, left: str) -> str:
    """A prompt of which a tokenizer leaves the letters `left` of its last word."""
    for padding in range(200):
        text = f'a sign that says "{"o" * padding} {word}"'
        found = readings(adapter_for(pipe), pipe, call(pipe, [text]), text)
        if any(r.endswith(f" {left}") for r in found):
            return text
    raise AssertionError("no padding cuts the word there")


@pytest.mark.parametrize("family", ["sdxl", "if"])
def test_the_guard_decides_on_what_is_left_of_a_word(guard: Guard, family: str) -> None:
    """The whole word is allowed, the part that the encoder reads is substituted, and never drawn."""
    pipe = FAMILIES[family]()
    checker: Checker = guard.checker
    word, left = "DICKENS", "DICK"
    text = cut_to(pipe, word, left)
    assert checker.check(text).action <= Action.FLAG
    wrapped = GuardedPipeline(pipe, checker, manifest=manifest(pipe, (1,)), reader=None)
    pipe.set_progress_bar_config(disable=True)
    arguments = {**call(pipe, [text]), "num_inference_steps": 2}
    bare = plain(pipe, arguments)
    arguments["generator"].manual_seed(3)
    drawing = wrapped.draw(arguments)
    assert drawing.decisions[0].action is Action.SUBSTITUTE
    assert drawing.decisions[0].reason == "findings_as_read"
    assert not np.array_equal(drawing.output.images, bare)


def test_learned_tokens_are_refused_until_they_are_declared(guard: Guard) -> None:
    """A textual inversion stands for anything; declared, what it stands for is checked."""
    pipe = FAMILIES["sdxl"]()
    pipe.set_progress_bar_config(disable=True)
    clip = pipe.text_encoder.get_input_embeddings().weight
    for tokenizer, encoder in (
        (pipe.tokenizer, pipe.text_encoder),
        (pipe.tokenizer_2, pipe.text_encoder_2),
    ):
        tokenizer.add_tokens("<thing>")
        encoder.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    assert len(pipe.text_encoder.get_input_embeddings().weight) >= len(clip)
    prompt = 'a red sign that says "<thing>"'
    with pytest.raises(InvalidInput, match="textual inversion"):
        refuse_learned_tokens(adapter_for(pipe), pipe, "prompt", prompt, {})
    refuse_learned_tokens(adapter_for(pipe), pipe, "prompt", "a red sign", {})
    assert written_out(prompt, {"<thing>": "IDIOT"}) == prompt.replace("<thing>", "IDIOT")

    def drawn(texts: dict[str, str]) -> Any:
        wrapped = GuardedPipeline(
            pipe,
            guard.checker,
            manifest=manifest(pipe, (1,)),
            reader=None,
            token_texts=texts,
        )
        return wrapped.draw(call(pipe, [prompt], num_inference_steps=2))

    with pytest.raises(InvalidInput, match=r"^prompt: "):
        drawn({})
    assert drawn({"<thing>": "HELLO"}).decisions[0].action is Action.ALLOW
    assert drawn({"<thing>": "IDIOT"}).decisions[0].action is Action.SUBSTITUTE


def test_of_declared_tokens_that_begin_alike_the_longest_is_meant() -> None:
    """In any order of declaration, and what one stands for is not read as another."""
    declared = {"sks": "a", "sksdog": "IDIOT", "cat": "sks"}
    for texts in (declared, dict(reversed(declared.items()))):
        assert written_out("a sign SKSDOG, sks, cat", texts) == "a sign IDIOT, a, sks"


def test_letters_that_grow_when_they_are_normalised_are_cut_too() -> None:
    """A short text may have more tokens than bytes then; a compiled encoder's limit is its own."""
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    pipe = type("Pipe", (), {})()
    pipe.tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=20, unk_token="[UNK]"
    )
    clip = type("CLIPTextModel", (torch.nn.Identity,), {})()
    for encoder in (clip, torch.compile(clip)):
        pipe.text_encoder = encoder
        (left,) = readings(
            SdAdapter(), pipe, {"max_sequence_length": 256}, "\U0001d160" * 4 + "abc DICKENS"
        )
        assert left.endswith("abc DICK")


class LettersOneByOne(PreTrainedTokenizer):
    """A tokenizer in Python, which does not say where its tokens stand."""

    @property
    def vocab_size(self) -> int:
        return 128

    def get_vocab(self) -> dict[str, int]:
        return {chr(n): n for n in range(128)}

    def _tokenize(self, text: str, **_: Any) -> list[str]:
        return [*text]

    def _convert_token_to_id(self, token: str) -> int:
        return ord(token)

    def _convert_id_to_token(self, index: int) -> str:
        return chr(index)

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return "".join(tokens)


def test_tokenizers_without_offsets_say_what_is_left() -> None:
    """As far as their tokens tell; a text that fits is read as it is."""
    pipe = type("Pipe", (), {})()
    pipe.tokenizer, pipe.text_encoder = (
        LettersOneByOne(model_max_length=9),
        type("CLIPTextModel", (), {})(),
    )
    assert not pipe.tokenizer.is_fast
    assert readings(SdAdapter(), pipe, {}, "ab dickens") == ["ab dicken"]
    assert readings(SdAdapter(), pipe, {}, "ab dick") == []


def test_texts_of_real_clip_tokenizers_have_offsets() -> None:
    """The class that diffusers' checkpoints name, with a vocabulary of letters."""
    letters = [chr(n) for n in range(97, 123)]
    names = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(
        vocab={name: n for n, name in enumerate(names)}, merges=[], model_max_length=8
    )
    pipe = type("Pipe", (), {})()
    pipe.tokenizer, pipe.text_encoder = tokenizer, type("CLIPTextModel", (), {})()
    assert readings(SdAdapter(), pipe, {}, "ab dickens") == ["ab dick"]
    assert "LOSER" in readings(SdAdapter(), pipe, {}, "LOS<|endoftext|>ER")
    assert DONORS["equal"] != TOXIC
