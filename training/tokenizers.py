"""Tokenizers of the reference models: scene words whole, what is to be drawn letter by letter."""

from __future__ import annotations

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from inkguard.measure.world.captions import SCENE_WORDS

T5_LENGTH = 40
"""T5 tokens per prompt. Pipelines pad to their own default unless told: pass `max_sequence_length=40`."""
CLIP_LENGTH = 20
"""CLIP tokens per prompt (the pipelines read it from `model_max_length`)."""

_QUOTES = "“”„‟«»‹›「」『』＂`"
_CHARACTERS = [chr(c) for c in range(32, 127)]
# A quoted stretch is one piece, spaces included; so it is always spelled, never a scene word.
_PIECES = Regex(r'"[^"]*"?|[\w\']+|[^\s\w"]')


def _normalizer() -> normalizers.Normalizer:
    """Every quote style becomes a straight double quote; apostrophes inside words stay."""
    return normalizers.Sequence(
        [
            normalizers.NFKC(),
            *(normalizers.Replace(q, '"') for q in _QUOTES),
            normalizers.Replace(Regex(r"(?<![\w‘’'])[‘'](?=\S)"), '"'),
            normalizers.Replace(Regex(r"(?<=\S)[’'](?!\w)"), '"'),
        ]
    )


def _capitalised(words: list[str]) -> list[str]:
    return [*words, *(w.title() for w in words)]


def _wrap(tokenizer: Tokenizer, length: int, **special: str) -> PreTrainedTokenizerFast:
    tokenizer.normalizer = _normalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(_PIECES, "removed", invert=True)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=length, **special)


def t5_tokenizer() -> PreTrainedTokenizerFast:
    """WordPiece: known scene words, then quoted text and capitals in characters, else `<unk>`.

    A lower-case word that is not known has no first piece, so it is a single `<unk>`; a word in
    capitals is spelled, since that is how people ask for text without quotes.
    """
    capitals = [c for c in _CHARACTERS if c.isupper()]
    first = [c for c in _CHARACTERS if not c.isalnum() and c != " "]
    pieces = ["<pad>", "</s>", "<unk>", *_capitalised(SCENE_WORDS), *first, *capitals]
    pieces += ["##" + c for c in _CHARACTERS]
    vocabulary = {piece: n for n, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(
        models.WordPiece(vocabulary, unk_token="<unk>", max_input_chars_per_word=200)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return _wrap(tokenizer, T5_LENGTH, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def clip_tokenizer() -> PreTrainedTokenizerFast:
    """Word level: scene words; quoted text is one `<unk>`, so CLIP cannot spell."""
    pieces = ["<pad>", "<bos>", "<unk>", ",", ".", *_capitalised(SCENE_WORDS), "<eos>"]
    vocabulary = {piece: n for n, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>",
        special_tokens=[("<bos>", vocabulary["<bos>"]), ("<eos>", vocabulary["<eos>"])],
    )
    return _wrap(
        tokenizer,
        CLIP_LENGTH,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
    )
