"""The files of a toxicity model, and how the `detoxify` package is brought to load them.

Detoxify's class loads one thing: a pickled checkpoint. Our own model ships as safetensors, and becomes a
private temporary checkpoint while it loads. The published models load from local files, whose digest
is checked before they are opened. Nothing is ever downloaded.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from detoxify import Detoxify
from detoxify.detoxify import MODEL_URLS
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers.utils import logging as transformers_logging

from inkguard.errors import ModelError
from inkguard.package_data import data_folder
from inkguard.process import without_bars

__all__ = [
    "DIGEST_VARIABLE",
    "EMBEDDED",
    "FOLDER_VARIABLE",
    "PUBLISHED",
    "Checkpoint",
    "embedded_checkpoint",
    "load_through_detoxify",
    "published_checkpoint",
]

EMBEDDED = data_folder("models") / "toxicity"
"""The folder of the model that comes with the package."""
FOLDER_VARIABLE = "INKGUARD_DETOXIFY_DIR"
DIGEST_VARIABLE = "INKGUARD_DETOXIFY_SHA256"
PUBLISHED = {
    "original": "bert-base-uncased",
    "unbiased": "roberta-base",
    "multilingual": "xlm-roberta-base",
}
"""Detoxify's models by name, each with the model whose config and tokenizer it uses."""
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What Detoxify needs: a checkpoint without its paths, and the folder of config and tokenizer."""

    config: dict[str, Any]
    state: Mapping[str, torch.Tensor]
    folder: Path


def embedded_checkpoint(folder: Path) -> Checkpoint:
    """Our own model, from a folder of safetensors; raises ModelError."""
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
    return Checkpoint(config=config, state=full, folder=folder)


def published_checkpoint(name: str, folder: Path | None) -> Checkpoint:
    """One of `PUBLISHED`, from `folder` or the one that INKGUARD_DETOXIFY_DIR names.

    Raises ModelError for a missing file, which says what to put where, and for a wrong digest.
    """
    url, base = MODEL_URLS[name], PUBLISHED[name]
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
        return Checkpoint(config=loaded["config"], state=loaded["state_dict"], folder=folder / name)
    except Exception as error:
        kind = type(error).__name__
        raise ModelError(f"{folder / file}: not a Detoxify checkpoint ({kind})") from None


def load_through_detoxify(checkpoint: Checkpoint) -> Detoxify:
    """Detoxify's class with the weights of `checkpoint`.

    They go by way of a private folder (mode 0700), which is then deleted. Raises ModelError, also
    where a weight of the loaded model is not the checkpoint's.
    """
    with (
        tempfile.TemporaryDirectory(prefix="inkguard-") as made,
        without_bars(transformers_logging),
    ):
        private = Path(made)
        try:
            # A folder's config beats Detoxify's num_classes, so that it must say it.
            config = json.loads((checkpoint.folder / "config.json").read_text(encoding="utf-8"))
            args = {**checkpoint.config["arch"]["args"], "model_type": str(private)}
            if len(config.get("id2label", ())) != args["num_classes"]:
                config["id2label"] = {i: f"LABEL_{i}" for i in range(args["num_classes"])}
                config["label2id"] = {v: k for k, v in config["id2label"].items()}
            (private / "config.json").write_text(json.dumps(config), encoding="utf-8")
            for name in _TOKENIZER_FILES:
                if (checkpoint.folder / name).is_file():
                    shutil.copyfile(checkpoint.folder / name, private / name)
            file = private / "detoxify.ckpt"
            whole = {**checkpoint.config, "arch": {**checkpoint.config["arch"], "args": args}}
            torch.save({"config": whole, "state_dict": dict(checkpoint.state)}, file)
            detoxify = Detoxify(checkpoint=str(file), huggingface_config_path=str(private))
        except Exception as error:
            kind = type(error).__name__
            raise ModelError(
                f"{checkpoint.folder}: Detoxify cannot load the model ({kind})"
            ) from None
    # transformers fills what a checkpoint lacks with random numbers, and only warns.
    for key, tensor in detoxify.model.state_dict().items():
        if key not in checkpoint.state or not torch.equal(tensor, checkpoint.state[key]):
            raise ModelError(f"{checkpoint.folder}: the weights of {key} are not the checkpoint's")
    return detoxify
