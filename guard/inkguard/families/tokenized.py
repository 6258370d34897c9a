"""What a pipeline's tokenizers leave of a text: cut at their limit, without special tokens, or unreadable.

A tokenizer that cuts a long text may cut a word in two, and what stays may be another word: the
encoder then reads a word that nobody wrote. A special token inside of a word (`</s>`) is no letter to the encoder.
And a token that textual inversion has taught the encoder stands for whatever it was taught.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from inkguard.edit.diffusers_internals import plain
from inkguard.errors import InvalidInput
from inkguard.families.base import Adapter
from inkguard.families.call_defaults import argument

__all__ = ["readings", "refuse_learned_tokens", "written_out"]

_TEMPLATE_TOKENS = 4
"""How far a template around the prompt may move the cut: its own tokens join with the prompt's."""


def readings(adapter: Adapter, pipe: Any, call: Mapping[str, Any], text: str) -> list[str]:
    """What else than `text` the tokenizers of the pipeline call `call` may make of it; often nothing.

    Where the encoder reads the text within a template, the place of the cut is known to a few tokens
    only: all places are given.
    """
    found: list[str] = []
    for tokenizer, encoder in _tokenizers(adapter, pipe):
        found += _without_special(tokenizer, text)
        limit = _limit(adapter, pipe, call, tokenizer, encoder)
        found += _cut(tokenizer, text, limit, adapter.in_template)
    return [r for r in dict.fromkeys(found) if r.strip() and r != text]


def refuse_learned_tokens(
    adapter: Adapter, pipe: Any, name: str, text: str, declared: Mapping[str, str]
) -> None:
    """Raise InvalidInput for a token of textual inversion in `text` whose meaning is not declared."""
    left = written_out(text, declared)
    for tokenizer, tokens in _learned(adapter, pipe):
        # CLIP's tokenizer finds its added tokens in any letter case, and others as they are.
        read = {*tokenizer(left, verbose=False).input_ids}
        if any(token in left or number in read for token, number in tokens.items()):
            raise InvalidInput(
                name,
                "it holds a token that textual inversion has taught the encoder, and what that draws "
                "cannot be read: say what it stands for with wrap(..., token_texts={token: text})",
            )


def written_out(text: str, declared: Mapping[str, str]) -> str:
    """The text with what the tokens of `declared` stand for in their place, whatever their letter case.

    Of tokens that begin alike the longest is meant, as tokenizers do it.
    """
    if not declared:
        return text
    meanings = {token.casefold(): meaning for token, meaning in declared.items()}
    longest_first = sorted(map(re.escape, declared), key=len, reverse=True)
    return re.sub(
        "|".join(longest_first),
        lambda found: meanings.get(found[0].casefold(), ""),
        text,
        flags=re.IGNORECASE,
    )


def _tokenizers(adapter: Adapter, pipe: Any) -> Iterator[tuple[Any, Any]]:
    """Every tokenizer of a pipeline, and the encoder that reads what it makes."""
    for name, encoder in adapter.encoders.items():
        tokenizer = getattr(pipe, name, None)
        if callable(tokenizer):
            yield tokenizer, getattr(pipe, encoder, None)


def _limit(
    adapter: Adapter, pipe: Any, call: Mapping[str, Any], tokenizer: Any, encoder: Any
) -> int:
    """How many tokens of a text reach `encoder`, the tokenizer's own marks among them."""
    if "CLIP" in type(plain(encoder)).__name__:
        return int(tokenizer.model_max_length)
    asked = argument(pipe, call, "max_sequence_length")
    return int(asked or adapter.token_limit or tokenizer.model_max_length)


def _cut(tokenizer: Any, text: str, limit: int, in_template: bool) -> list[str]:
    # A token stands for a letter at least, and there are two marks at most. Other letters than ASCII's may
    # become more when they are normalised.
    if text.isascii() and len(text) + 2 <= limit - _TEMPLATE_TOKENS:
        return []
    if not getattr(tokenizer, "is_fast", True):
        return _decoded(tokenizer, text, limit)
    # A few more than fit: of the rest nothing is wanted, and a tokenizer would warn of its length.
    encoded = tokenizer(
        text, return_offsets_mapping=True, truncation=True, max_length=limit + _TEMPLATE_TOKENS
    )
    ends = _ends(encoded)
    marks = 0 if in_template else int(tokenizer.num_special_tokens_to_add())
    fits = limit - marks
    if in_template:
        return [text[: ends[n]] for n in range(fits - _TEMPLATE_TOKENS, len(ends)) if n <= fits]
    return [text[: ends[fits - 1]]] if len(ends) > fits else []


def _decoded(tokenizer: Any, text: str, limit: int) -> list[str]:
    """What is left of a text, from a tokenizer that does not say where its tokens stand.

    Written anew from the tokens: spaces and letter case may be others.
    """
    ids = tokenizer(text, truncation=True, max_length=limit).input_ids
    return [str(tokenizer.decode(ids, skip_special_tokens=True))] if len(ids) >= limit else []


def _ends(encoded: Any) -> list[int]:
    """Where each token of a text ends in it; marks, which stand for no text, are left out."""
    return [end for start, end in encoded["offset_mapping"] if end > start]


def _without_special(tokenizer: Any, text: str) -> list[str]:
    # One sign alone, such as the "!" that pads SD 2's text, is drawn as it is.
    special = [t for t in map(str, tokenizer.all_special_tokens) if len(t) > 1 and t in text]
    if not special:
        return []
    joined = apart = text
    for token in special:
        joined, apart = joined.replace(token, ""), apart.replace(token, " ")
    return [joined, apart]


def _learned(adapter: Adapter, pipe: Any) -> Iterator[tuple[Any, dict[str, int]]]:
    """Tokens that were added to tokenizers which textual inversion can teach, with their numbers.

    Other tokenizers (Gemma's, Qwen's) have added tokens from the start.
    """
    if not hasattr(pipe, "load_textual_inversion"):
        return
    for tokenizer, _ in _tokenizers(adapter, pipe):
        special = {*map(str, tokenizer.all_special_tokens)}
        known = {str(t) for t in tokenizer.added_tokens_decoder.values() if t.special}
        learned = {t: n for t, n in tokenizer.get_added_vocab().items() if t not in special | known}
        if learned:
            yield tokenizer, learned
