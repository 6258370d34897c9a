"""Detoxify's scores for the texts that a prompt wants drawn, without a network and without surprises.

The `detoxify` package's own class does the scoring. Around it: our checkpoint ships as safetensors
and becomes a private temporary one while it loads; the published models load from local files whose
digest is checked first; long text, which Detoxify cuts silently, is scored in overlapping windows.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import pickle
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from detoxify import Detoxify
from detoxify.detoxify import MODEL_URLS
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers.utils import logging as transformers_logging

from inkguard.errors import ClassifierError, ModelError
from inkguard.fork import ForkSafeLock, computing
from inkguard.package_data import data_folder
from inkguard.process import without_bars

__all__ = ["DIGEST_VARIABLE", "EMBEDDED", "FOLDER_VARIABLE", "ToxicityClassifier"]

EMBEDDED = data_folder("models") / "toxicity"
FOLDER_VARIABLE = "INKGUARD_DETOXIFY_DIR"
DIGEST_VARIABLE = "INKGUARD_DETOXIFY_SHA256"

_BASES = {
    "original": "bert-base-uncased",
    "unbiased": "roberta-base",
    "multilingual": "xlm-roberta-base",
}
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
)
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
        if name != "embedded" and name not in _BASES:
            known = ", ".join(("embedded", *_BASES))
            raise ModelError(f"there is no toxicity model {name!r}; known are {known}")
        with computing():
            embedded = name == "embedded"
            source = _embedded(folder or EMBEDDED) if embedded else _published(name, folder)
            return cls(_through_detoxify(source))

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
                    self._detoxify.tokenizer = pickle.loads(self._unused)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """What Detoxify needs: a checkpoint without its paths, and the folder of config and tokenizer."""

    config: dict[str, Any]
    state: Mapping[str, torch.Tensor]
    folder: Path


def _embedded(folder: Path) -> _Source:
    try:
        classes = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))["classes"]
        state = load_file(folder / "model.safetensors")
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"{folder}: no toxicity classifier ({type(error).__name__}). It needs config.json, "
            "metadata.json, model.safetensors, tokenizer.json and tokenizer_config.json; the "
            "package brings them, and `python -m training.toxicity` makes them"
        ) from None
    arch = {
        "model_name": "BertForSequenceClassification",
        "tokenizer_name": "BertTokenizer",
        "num_classes": len(classes),
    }
    # Half the size on disk, but sums of half-precision numbers are slow and coarse on a CPU.
    full = {key: tensor.float() for key, tensor in state.items()}
    config = {"arch": {"args": arch}, "dataset": {"args": {"classes": classes}}}
    return _Source(config=config, state=full, folder=folder)


def _published(name: str, folder: Path | None) -> _Source:
    url, base = MODEL_URLS[name], _BASES[name]
    file = url.rpartition("/")[2]
    if folder is None and (named := os.environ.get(FOLDER_VARIABLE)):
        folder = Path(named)
    where = folder or Path(f"${FOLDER_VARIABLE}")
    hint = (
        f"the toxicity model {name!r} is not downloaded: put {url} at {where / file}, and "
        f"config.json and the tokenizer files of {base} into {where / name}/"
    )
    if folder is None:
        raise ModelError(f"{hint}; then set {FOLDER_VARIABLE} to that folder")
    try:
        data = (folder / file).read_bytes()
    except OSError as error:
        raise ModelError(f"{hint} ({type(error).__name__})") from None
    if not (folder / name / "config.json").is_file():
        raise ModelError(f"{hint} (no config.json)")
    # The name ends in the first 8 digits of the SHA-256, as torch.hub has it. What is hashed is
    # what is read: the file is not opened a second time.
    expected = os.environ.get(DIGEST_VARIABLE) or file.removesuffix(".ckpt").rpartition("-")[2]
    digest = hashlib.sha256(data).hexdigest()
    if not digest.startswith(expected.lower()):
        raise ModelError(
            f"{folder / file}: the SHA-256 begins with {digest[:8]}, not with {expected}; it is not "
            f"the published file. A full digest of your own choice goes into {DIGEST_VARIABLE}"
        )
    try:
        # Eight digits do not stop a determined forger, so no code is unpickled either.
        loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        return _Source(config=loaded["config"], state=loaded["state_dict"], folder=folder / name)
    except Exception as error:
        kind = type(error).__name__
        raise ModelError(f"{folder / file}: not a Detoxify checkpoint ({kind})") from None


def _through_detoxify(source: _Source) -> Detoxify:
    """Give `source` to Detoxify by way of a private folder (mode 0700), which is then deleted."""
    with (
        tempfile.TemporaryDirectory(prefix="inkguard-") as made,
        without_bars(transformers_logging),
    ):
        private = Path(made)
        try:
            # A folder's config beats Detoxify's num_classes, so that it must say it.
            config = json.loads((source.folder / "config.json").read_text(encoding="utf-8"))
            args = {**source.config["arch"]["args"], "model_type": str(private)}
            if len(config.get("id2label", ())) != args["num_classes"]:
                config["id2label"] = {i: f"LABEL_{i}" for i in range(args["num_classes"])}
                config["label2id"] = {v: k for k, v in config["id2label"].items()}
            (private / "config.json").write_text(json.dumps(config), encoding="utf-8")
            for file in _TOKENIZER_FILES:
                if (source.folder / file).is_file():
                    shutil.copyfile(source.folder / file, private / file)
            checkpoint = private / "detoxify.ckpt"
            whole = {**source.config, "arch": {**source.config["arch"], "args": args}}
            torch.save({"config": whole, "state_dict": dict(source.state)}, checkpoint)
            detoxify = Detoxify(checkpoint=str(checkpoint), huggingface_config_path=str(private))
        except Exception as error:
            kind = type(error).__name__
            raise ModelError(f"{source.folder}: Detoxify cannot load the model ({kind})") from None
    # transformers fills what a checkpoint lacks with random numbers, and only warns.
    for key, tensor in detoxify.model.state_dict().items():
        if key not in source.state or not torch.equal(tensor, source.state[key]):
            raise ModelError(f"{source.folder}: the weights of {key} are not the checkpoint's")
    return detoxify


def _token_limit(detoxify: Detoxify) -> int:
    """Tokens of text that one call reads. RoBERTa counts its positions from padding + 1."""
    config = detoxify.model.config
    positions = config.max_position_embeddings
    if "roberta" in config.model_type:
        positions -= config.pad_token_id + 1
    detoxify.tokenizer.model_max_length = min(detoxify.tokenizer.model_max_length, positions)
    special = int(detoxify.tokenizer.num_special_tokens_to_add())
    return int(detoxify.tokenizer.model_max_length) - special
