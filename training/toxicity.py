"""`python -m training.toxicity`: train, calibrate and measure the embedded classifier.

A small BERT with Detoxify's six labels, in plain transformers files. The same command goes on where
the last one stopped; `--evaluate` measures what is in `--out`, through the guard's own classifier.
"""

from __future__ import annotations

import argparse
import copy
import functools
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor
from torch.nn import functional as F
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

from inkguard.process import own_process
from inkguard.score.detoxify import ToxicityClassifier
from training import loop
from training.toxicity_data import (
    LABELS,
    SOURCES,
    Row,
    Splits,
    is_short,
    load,
    texts,
)
from training.toxicity_metrics import measure, recommend

SEED = 20250209
MAX_TOKENS = 96
TOKENS_A_BATCH = 2560
# Positives of the rare labels count more; the calibration takes the shift of the odds out again.
POSITIVE_WEIGHT = torch.tensor([1.0, 6.0, 2.0, 3.0, 1.5, 1.5])
SHORT_WEIGHT = 1.5  # words on a sign are short, comments are not
HIDDEN_TOKENS = 0.05  # share of tokens read as unknown in training, against learning rows by heart
TRICKY_WEIGHT = 5.0  # in the calibration: there are few of them, and they are what gets blocked


def build_tokenizer(rows: Sequence[Row]) -> BertTokenizer:
    """A lowercasing WordPiece of 8,192 tokens that falls back to single characters."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trained = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    trained.normalizer = normalizers.BertNormalizer(lowercase=True)
    trained.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=8192, special_tokens=special, limit_alphabet=200, show_progress=False
    )
    trained.train_from_iterator(texts(rows), trainer)
    return BertTokenizer(vocab=trained.get_vocab(), do_lower_case=True, model_max_length=MAX_TOKENS)


def build_model(vocabulary: int) -> BertForSequenceClassification:
    """About 2.2 million parameters with random weights."""
    torch.manual_seed(SEED)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=160,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=480,
        max_position_embeddings=MAX_TOKENS,
        type_vocab_size=1,
        attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(LABELS)),
        label2id={name: i for i, name in enumerate(LABELS)},
        problem_type="multi_label_classification",
    )
    return BertForSequenceClassification(config)


class _Batches:
    """Batches of rows of like length; which rows come at a step depends on the step alone."""

    def __init__(self, rows: Sequence[Row], tokenizer: BertTokenizer, device: torch.device) -> None:
        self._ids: list[list[int]] = tokenizer(texts(rows), truncation=True)["input_ids"]
        self._labels = torch.tensor([row.labels for row in rows])
        self._weights = torch.tensor([SHORT_WEIGHT if is_short(row) else 1.0 for row in rows])
        self._special = torch.tensor(tokenizer.all_special_ids)
        self._unknown, self._device = tokenizer.unk_token_id, device
        self._lengths = np.array([len(ids) for ids in self._ids])
        self._epoch = functools.lru_cache(maxsize=1)(self._make_epoch)
        self.per_epoch = min(len(self._make_epoch(epoch)) for epoch in range(3)) - 5

    def at(self, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Ids (B, T) int64, mask (B, T) int64, labels (B, 6) float32 with NaN, weights (B,)."""
        epoch, index = divmod(step, self.per_epoch)
        chosen = self._epoch(epoch)[index]
        ids = torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(self._ids[i]) for i in chosen], batch_first=True
        )
        mask = (ids != 0).long()
        noise = torch.rand(ids.shape, generator=torch.Generator().manual_seed(SEED + step))
        ids[(noise < HIDDEN_TOKENS) & ~torch.isin(ids, self._special)] = self._unknown
        batch = ids, mask, self._labels[chosen], self._weights[chosen]
        ids, mask, labels, weights = (part.to(self._device) for part in batch)
        return ids, mask, labels, weights

    def _make_epoch(self, epoch: int) -> list[list[int]]:
        draw = np.random.default_rng(SEED + epoch)
        order = np.argsort(self._lengths + draw.uniform(0, 2, len(self._lengths)), kind="stable")
        batches: list[list[int]] = [[]]
        for i in order.tolist():
            if (len(batches[-1]) + 1) * int(self._lengths[i]) > TOKENS_A_BATCH:
                batches.append([])
            batches[-1].append(i)
        random.Random(SEED + epoch).shuffle(batches)
        return batches


def masked_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Binary cross-entropy, () float32, over the labels that are not NaN; logits (B, 6)."""
    known = ~labels.isnan()
    target = labels.nan_to_num()
    entropy = F.binary_cross_entropy_with_logits(
        logits, target, pos_weight=POSITIVE_WEIGHT.to(logits.device), reduction="none"
    )
    factor = known * weights[:, None]
    return (entropy * factor).sum() / factor.sum().clamp(min=1.0)


def train(
    splits: Splits, work: Path, steps: int, device: str
) -> tuple[BertForSequenceClassification, BertTokenizer]:
    """The averaged weights after `steps` steps, going on from `work`, and their tokenizer."""
    vocabulary = work / "toxicity-tokenizer"
    if not vocabulary.exists():  # kept, since a resumed run must number its tokens alike
        build_tokenizer(splits.train).save_pretrained(vocabulary)
    tokenizer = BertTokenizer.from_pretrained(vocabulary)
    model = build_model(len(tokenizer)).train()
    torch.nn.Module.to(model, device)  # the wrapper of transformers defies the type checker
    averaged = copy.deepcopy(model).eval()
    batches = _Batches(splits.train, tokenizer, torch.device(device))

    def loss_at(step: int) -> Tensor:
        ids, mask, labels, weights = batches.at(step)
        torch.manual_seed(SEED + step)  # dropout, so that a resumed run is the same run
        with torch.autocast(torch.device(device).type, dtype=torch.bfloat16):
            logits = model(input_ids=ids, attention_mask=mask).logits
        return masked_loss(logits.float(), labels, weights)

    loop.run(
        name=f"toxicity ({batches.per_epoch} steps an epoch)",
        checkpoint=work / "toxicity.pt",
        plan=loop.Plan(steps=steps, cooldown=0.8, warmup=200, save_every=500),
        modules={"model": model},
        optimizers=[torch.optim.AdamW(model.parameters(), lr=1.2e-3, weight_decay=0.05)],
        loss_at=loss_at,
        ema=averaged,
        ema_of=model,
    )
    return averaged, tokenizer


def calibrate(
    model: BertForSequenceClassification, tokenizer: BertTokenizer, rows: Sequence[Row]
) -> None:
    """Fit a scale and a shift for each label's logit, and fold them into the last layer in place.

    Afterwards a score is the share of raters to expect on `rows`, so that Detoxify's own class,
    which knows no calibration, gives calibrated scores.
    """
    logits = _logits(model.cpu().eval(), tokenizer, rows)
    labels = torch.tensor([row.labels for row in rows])
    weights = torch.tensor([TRICKY_WEIGHT if row.source == "tricky" else 1.0 for row in rows])
    factor = ~labels.isnan() * weights[:, None]
    scale = torch.zeros(len(LABELS), requires_grad=True)  # its logarithm: the order must not turn
    shift = torch.zeros(len(LABELS), requires_grad=True)
    optimizer = torch.optim.LBFGS([scale, shift], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        entropy = F.binary_cross_entropy_with_logits(
            logits * scale.exp() + shift, labels.nan_to_num(), reduction="none"
        )
        loss = ((entropy * factor).sum(0) / factor.sum(0)).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        model.classifier.weight.mul_(scale.exp()[:, None])
        model.classifier.bias.mul_(scale.exp()).add_(shift)


@torch.no_grad()
def _logits(
    model: BertForSequenceClassification, tokenizer: BertTokenizer, rows: Sequence[Row]
) -> Tensor:
    parts = []
    for start in range(0, len(rows), 64):
        batch = texts(rows[start : start + 64])
        inputs = tokenizer(batch, return_tensors="pt", truncation=True, padding=True)
        parts.append(model(**inputs).logits)
    return torch.cat(parts)


def save(
    out: Path, model: BertForSequenceClassification, tokenizer: BertTokenizer, about: dict[str, Any]
) -> None:
    """Write config.json, the tokenizer, half-precision safetensors and metadata.json to `out`."""
    out.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(out)
    tokenizer.save_pretrained(out)
    state = {key: tensor.half().contiguous() for key, tensor in model.state_dict().items()}
    save_file(state, out / "model.safetensors", metadata={"format": "pt"})
    _write(out, about)


def evaluate(out: Path, splits: Splits) -> dict[str, Any]:
    """Recommend thresholds and measure the classifier in `out`; its metadata.json is renewed."""
    about: dict[str, Any] = json.loads((out / "metadata.json").read_text(encoding="utf-8"))
    classifier = ToxicityClassifier.load(folder=out)
    about["recommended_thresholds"] = thresholds = recommend(classifier, splits.calibration)
    about["metrics"] = measure(classifier, splits.test, thresholds)
    _write(out, about)
    return about


def _write(out: Path, about: dict[str, Any]) -> None:
    text = json.dumps(about, indent=2, ensure_ascii=False)
    (out / "metadata.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.toxicity", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="toxicity_train.csv.gz")
    parser.add_argument("--out", type=Path, default=Path("out/models/toxicity"))
    parser.add_argument("--work", type=Path, default=Path("out/train"), help="checkpoints")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--evaluate", action="store_true", help="measure --out, train nothing")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    splits = load(arguments.data)
    if not arguments.evaluate:
        model, tokenizer = train(splits, arguments.work, arguments.steps, arguments.device)
        calibrate(model, tokenizer, splits.calibration)
        about = {
            "classes": LABELS,
            "seed": SEED,
            "steps": arguments.steps,
            "parameters": sum(p.numel() for p in model.parameters()),
            "sources": SOURCES,
            "rows": splits.counts(),
        }
        save(arguments.out, model, tokenizer, about)
    about = evaluate(arguments.out, splits)
    shown = {key: about[key] for key in ("recommended_thresholds", "metrics")}
    print(json.dumps(shown, indent=2))


if __name__ == "__main__":
    own_process()
    main()
