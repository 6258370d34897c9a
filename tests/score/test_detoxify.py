from __future__ import annotations

import hashlib
import json
import math
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import detoxify
import pytest
import torch
from safetensors.torch import load_file

from inkguard.errors import ClassifierError, ModelError
from inkguard.score import detoxify_checkpoint
from inkguard.score.detoxify import ToxicityClassifier
from inkguard.score.detoxify_checkpoint import DIGEST_VARIABLE, EMBEDDED, FOLDER_VARIABLE

FILE = "toxic_original-c1212f89.ckpt"
TOXIC = (
    "you are an idiot",
    "shut up you stupid loser",
    "what a pathetic moron you are",
    "you dumb ugly pig",
    "stupid ignorant fools like you",
)
HARMLESS = (
    "open all day",
    "fresh bread and coffee",
    "welcome to our garden",
    "Scunthorpe town library",
    "happy birthday grandma",
)


@pytest.fixture(scope="module")
def classifier() -> ToxicityClassifier:
    return ToxicityClassifier.load()


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as an operator makes it for `original`, with our small model in its place."""
    config = json.loads((EMBEDDED / "config.json").read_text())
    classes = ["toxic", *json.loads((EMBEDDED / "metadata.json").read_text())["classes"][1:]]
    for key in ("id2label", "label2id"):
        del config[key]  # as bert-base-uncased has it
    (tmp_path / "original").mkdir()
    (tmp_path / "original" / "config.json").write_text(json.dumps(config))
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(EMBEDDED / file, tmp_path / "original" / file)
    args = {
        "model_type": "bert-base-uncased",
        "model_name": "BertForSequenceClassification",
        "tokenizer_name": "BertTokenizer",
        "num_classes": 6,
    }
    checkpoint = {
        "config": {"arch": {"args": args}, "dataset": {"args": {"classes": classes}}},
        "state_dict": {k: t.float() for k, t in load_file(EMBEDDED / "model.safetensors").items()},
    }
    torch.save(checkpoint, tmp_path / FILE)
    monkeypatch.delenv(DIGEST_VARIABLE, raising=False)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


def test_insults_score_above_harmless_signs(classifier: ToxicityClassifier) -> None:
    """Every mild insult scores higher than every harmless sign: an AUROC of 1."""
    scores = [score["toxicity"] for score in classifier.scores([*TOXIC, *HARMLESS])]
    assert min(scores[: len(TOXIC)]) > max(scores[len(TOXIC) :])


def test_the_labels_are_detoxifys_and_scores_are_probabilities(
    classifier: ToxicityClassifier,
) -> None:
    """Callers find Detoxify's six labels, each with a number from 0 to 1."""
    (score,) = classifier.scores(["hello"])
    assert list(score) == list(classifier.labels)
    assert set(score) == {
        "toxicity",
        "severe_toxicity",
        "obscene",
        "threat",
        "insult",
        "identity_attack",
    }
    assert all(0 <= value <= 1 for value in score.values())


def test_one_text_scores_as_it_does_in_a_batch(classifier: ToxicityClassifier) -> None:
    """Padding and Detoxify's squeezing of a list of one change nothing."""
    mixed = [*TOXIC, *HARMLESS, "a longer sentence that makes the others wait " * 3]
    together = classifier.scores(mixed)
    for text, score in zip(mixed, together, strict=True):
        assert classifier.scores([text])[0] == pytest.approx(score, abs=1e-5)


def test_no_texts_give_no_scores(classifier: ToxicityClassifier) -> None:
    """An empty list is fine, and so are texts without any letter."""
    assert classifier.scores([]) == []
    odd = classifier.scores(["", " ", "\ud800", "\x00"])
    assert all(math.isfinite(value) for score in odd for value in score.values())


def test_toxic_words_at_the_end_of_a_long_text_are_seen(classifier: ToxicityClassifier) -> None:
    """Detoxify alone cuts the text; the highest of the windows is what counts."""
    filler = "the garden is open and the bread is fresh today . " * 60
    calm, harsh = classifier.scores([filler, filler + TOXIC[1]])
    metadata = json.loads((EMBEDDED / "metadata.json").read_text())
    assert calm["insult"] < metadata["recommended_thresholds"]["insult"] <= harsh["insult"]
    cut = classifier._detoxify.predict([filler + TOXIC[1]])
    assert cut["toxicity"] == pytest.approx(classifier._detoxify.predict([filler])["toxicity"])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_score_that_is_not_finite_is_an_error(
    classifier: ToxicityClassifier, monkeypatch: pytest.MonkeyPatch, bad: float
) -> None:
    """A broken model never reads as harmless."""
    answer = dict.fromkeys(classifier.labels, bad)
    monkeypatch.setattr(classifier._detoxify, "predict", lambda texts: answer)
    with pytest.raises(ClassifierError, match="not finite"):
        classifier.scores(["hello"])


def test_errors_do_not_quote_the_text(
    classifier: ToxicityClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library's message may hold the prompt; ours names the kind of error and a count."""

    def fail(texts: list[str]) -> NoReturn:
        raise RuntimeError(f"cannot read {texts[0]}")

    monkeypatch.setattr(classifier._detoxify, "predict", fail)
    with pytest.raises(ClassifierError) as caught:
        classifier.scores(["private words"])
    assert "private" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_loading_uses_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded model loads where every connection fails."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    ToxicityClassifier.load()


def test_the_temporary_checkpoint_is_private_and_goes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only this user can read the pickled copy, and only while the model loads."""
    modes: list[int] = []
    real: Callable[..., Any] = detoxify.Detoxify

    def spy(*, checkpoint: str, huggingface_config_path: str) -> object:
        modes.append(stat.S_IMODE(Path(checkpoint).parent.stat().st_mode))
        return real(checkpoint=checkpoint, huggingface_config_path=huggingface_config_path)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(detoxify_checkpoint, "Detoxify", spy)
    ToxicityClassifier.load()
    assert modes == [0o700]
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_name_is_refused() -> None:
    """The error lists the names that exist."""
    with pytest.raises(ModelError, match="embedded, original, unbiased, multilingual"):
        ToxicityClassifier.load("orginal")


def test_a_missing_embedded_model_says_what_belongs_there(tmp_path: Path) -> None:
    """An incomplete folder is an error that names the files."""
    with pytest.raises(ModelError, match=r"model\.safetensors, tokenizer\.json"):
        ToxicityClassifier.load(folder=tmp_path)


@pytest.mark.parametrize("name", ["original", "unbiased", "multilingual"])
def test_a_missing_named_model_says_what_to_put_where(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With and without a folder, the error names the file, its address and the folder."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    with pytest.raises(ModelError, match=rf"put https://.*\.ckpt at .*{FOLDER_VARIABLE}"):
        ToxicityClassifier.load(name)
    with pytest.raises(ModelError, match=r"config\.json and the tokenizer files of .* into") as e:
        ToxicityClassifier.load(name, folder=tmp_path)
    assert str(tmp_path) in str(e.value)


class _Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return open, (str(self._path), "w")


def test_a_tampered_checkpoint_is_refused_before_it_is_unpickled(
    named: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong digest stops the load; and even a right one runs no code from the file."""
    torch.save(_Trap(named / "sprung"), named / FILE)
    with pytest.raises(ModelError, match="not with c1212f89"):
        ToxicityClassifier.load("original")
    monkeypatch.setenv(DIGEST_VARIABLE, hashlib.sha256((named / FILE).read_bytes()).hexdigest())
    with pytest.raises(ModelError, match="not a Detoxify checkpoint"):
        ToxicityClassifier.load("original")
    assert not (named / "sprung").exists()


def test_a_named_model_loads_from_local_files(
    named: Path, monkeypatch: pytest.MonkeyPatch, classifier: ToxicityClassifier
) -> None:
    """With the right digest, a checkpoint in Detoxify's format gives the scores it should."""
    digest = hashlib.sha256((named / FILE).read_bytes()).hexdigest()
    monkeypatch.setenv(DIGEST_VARIABLE, digest)
    loaded = ToxicityClassifier.load("original")
    ours, theirs = classifier.scores([TOXIC[0]])[0], loaded.scores([TOXIC[0]])[0]
    assert theirs == pytest.approx(ours, abs=1e-6)


def test_weights_that_a_checkpoint_lacks_are_an_error(
    named: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers would fill them with random numbers and only warn."""
    checkpoint = torch.load(named / FILE, weights_only=True)
    del checkpoint["state_dict"]["classifier.weight"]
    torch.save(checkpoint, named / FILE)
    digest = hashlib.sha256((named / FILE).read_bytes()).hexdigest()
    monkeypatch.setenv(DIGEST_VARIABLE, digest)
    with pytest.raises(ModelError, match=r"classifier\.weight"):
        ToxicityClassifier.load("original")
