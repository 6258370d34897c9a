"""Detoxify's scores for the texts that a prompt wants drawn.

The `detoxify` package's own class does the scoring. It cuts long text silently, so long text is scored
here in overlapping windows. Importing this module imports torch.
"""

from __future__ import annotations

import math
import os
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path

from detoxify import Detoxify

from inkguard.errors import ClassifierError, ModelError
from inkguard.fork import ForkSafeLock, computing
from inkguard.score.detoxify_checkpoint import (
    EMBEDDED,
    PUBLISHED,
    embedded_checkpoint,
    load_through_detoxify,
    published_checkpoint,
)

__all__ = ["ToxicityClassifier"]

_BATCH = 64
_WINDOW = 32  # tokens: a few toxic words would drown in a window as long as the model's limit


class ToxicityClassifier:
    """Scores texts by Detoxify's labels. Make one with `load`; safe to share between threads."""

    def __init__(self, detoxify: Detoxify) -> None:
        self._detoxify = detoxify
        self._limit = _token_limit(detoxify)
        self._lock = ForkSafeLock()  # a fast tokenizer must not be used by two threads at once
        # A tokenizer has a lock within, which a thread of the parent may hold when a child is forked.
        self._unused, self._process = pickle.dumps(detoxify.tokenizer), os.getpid()

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that `scores` answers with, in the model's order."""
        return tuple(self._detoxify.class_names)

    @classmethod
    def load(cls, name: str = "embedded", *, folder: Path | None = None) -> ToxicityClassifier:
        """The embedded model, or Detoxify's `original`, `unbiased` or `multilingual`.

        `folder` holds the model's files; without it, the embedded one is read from the package and
        the others from the folder that INKGUARD_DETOXIFY_DIR names. Nothing is ever downloaded.
        Raises ModelError, which says what to put where, for files that are missing or not the
        expected ones.
        """
        if name != "embedded" and name not in PUBLISHED:
            known = ", ".join(("embedded", *PUBLISHED))
            raise ModelError(f"there is no toxicity model {name!r}; known are {known}")
        with computing():
            if name == "embedded":
                checkpoint = embedded_checkpoint(folder or EMBEDDED)
            else:
                checkpoint = published_checkpoint(name, folder)
            return cls(load_through_detoxify(checkpoint))

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Per text a score in 0..1 for each label; of a long text, the highest of its windows.

        Raises ClassifierError, which never quotes the text, where the model fails or a score is
        not finite.
        """
        pieces: list[tuple[int, str]] = []
        results = [dict.fromkeys(self.labels, 0.0) for _ in texts]
        try:
            with self._lock, computing():
                if self._process != os.getpid():
                    self._detoxify.tokenizer = pickle.loads(self._unused)  # noqa: S301 - pickled by this object
                    self._process = os.getpid()
                for i, text in enumerate(texts):
                    pieces += ((i, window) for window in self._windows(text))
                pieces.sort(key=lambda piece: len(piece[1]))  # like lengths together: less padding
                for start in range(0, len(pieces), _BATCH):
                    self._score_batch(pieces[start : start + _BATCH], results)
        except ClassifierError:
            raise
        except Exception as error:  # a library's message may quote what it was given
            kind = type(error).__name__
            raise ClassifierError(f"the classifier failed on {len(texts)} texts: {kind}") from None
        return results

    def _score_batch(
        self, batch: Sequence[tuple[int, str]], results: Sequence[dict[str, float]]
    ) -> None:
        answer = self._detoxify.predict([text for _, text in batch])
        for label in self.labels:
            column = answer[label]
            # Detoxify squeezes its answer: for a list of one it gives a number, not a list.
            values = column if isinstance(column, list) else [column]
            for (i, _), value in zip(batch, values, strict=True):
                if not math.isfinite(value):
                    raise ClassifierError(f"the score for {label} is not finite")
                results[i][label] = max(results[i][label], value)

    def _windows(self, text: str) -> Iterator[str]:
        text = text.encode("utf-8", "replace").decode()  # tokenizers refuse lone surrogates
        offsets: list[tuple[int, int]] = self._detoxify.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )["offset_mapping"]
        if len(offsets) <= self._limit:
            yield text
            return
        for start in range(0, len(offsets) - _WINDOW // 2, _WINDOW // 2):
            window = offsets[start : start + _WINDOW]
            yield text[window[0][0] : window[-1][1]]


def _token_limit(detoxify: Detoxify) -> int:
    """Tokens of text that one call reads. RoBERTa counts its positions from padding + 1."""
    config = detoxify.model.config
    positions = config.max_position_embeddings
    if "roberta" in config.model_type:
        positions -= config.pad_token_id + 1
    detoxify.tokenizer.model_max_length = min(detoxify.tokenizer.model_max_length, positions)
    special = int(detoxify.tokenizer.num_special_tokens_to_add())
    return int(detoxify.tokenizer.model_max_length) - special
