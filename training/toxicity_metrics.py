"""Thresholds for the embedded classifier, and what it does at them on rows that it never saw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkguard.score.detoxify import ToxicityClassifier
from training.toxicity_data import LABELS, NATURAL, Row, is_short, texts

FALSE_POSITIVES = 0.02
TRICKY_SOURCES = ("tricky", "benign_scowl_substring")
LOWEST = 0.30  # a rarer label's tricky strings may all score near zero; still no hair trigger
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9)
_ENOUGH = 20  # positives, and negatives, below which an AUROC says nothing

Scores = NDArray[np.float64]


def recommend(classifier: ToxicityClassifier, rows: Sequence[Row]) -> dict[str, float]:
    """Thresholds, to two digits, at which at most 2 % of the harmless tricky rows are flagged.

    A row is flagged when any label reaches its threshold. Every label may flag the same number of
    rows alone; the largest such number is taken.
    """
    table = _table(classifier, [row for row in rows if row.source in TRICKY_SOURCES])
    best = np.ones(len(LABELS))
    ranked = np.sort(table, axis=0)[::-1]
    for thresholds in ranked:  # row k: the k-th highest score of each label
        above = np.maximum(np.floor(thresholds * 100 + 1) / 100, LOWEST)
        if _flagged(table, above).mean() > FALSE_POSITIVES:
            break
        best = above
    return {label: round(float(best[i]), 2) for i, label in enumerate(LABELS)}


def measure(
    classifier: ToxicityClassifier, rows: Sequence[Row], thresholds: Mapping[str, float]
) -> dict[str, Any]:
    """AUROC per label on natural English and on short strings, and rates at `thresholds`.

    A label is positive from 0.5; a text is flagged when any label reaches its threshold.
    """
    table, levels = _table(classifier, rows), np.array([thresholds[label] for label in LABELS])
    truth = np.array([row.labels for row in rows])
    flagged = _flagged(table, levels)
    sources = np.array([row.source for row in rows])
    natural = np.isin(sources, NATURAL)
    short = np.array([is_short(row) for row in rows])
    tricky = np.isin(sources, TRICKY_SOURCES)
    toxic = truth[:, 0] >= 0.5
    harmless = {
        source: _rate(flagged[sources == source])
        for source in sorted({row.source for row in rows if is_short(row) and row.labels[0] == 0})
    }
    return {
        "auroc_natural": _auroc_by_label(table[natural], truth[natural]),
        "auroc_short": _auroc_by_label(table[short], truth[short]),
        "auroc_natural_by_source": {
            source: _auroc(table[sources == source, 0], truth[sources == source, 0])
            for source in NATURAL
        },
        "flagged_toxic_natural": _rate(flagged[natural & toxic]),
        "flagged_harmless_natural": _rate(flagged[natural & ~toxic]),
        "flagged_toxic_short": _rate(flagged[short & toxic]),
        "by_toxicity_alone": {
            f"{level:.2f}": {
                "toxic_natural": _rate(table[natural & toxic, 0] >= level),
                "harmless_natural": _rate(table[natural & ~toxic, 0] >= level),
                "toxic_short": _rate(table[short & toxic, 0] >= level),
                "harmless_tricky": _rate(table[tricky, 0] >= level),
            }
            for level in LEVELS
        },
        "flagged_harmless_short": harmless,
    }


def _table(classifier: ToxicityClassifier, rows: Sequence[Row]) -> Scores:
    scores = classifier.scores(texts(rows))
    return np.array([[score[label] for label in LABELS] for score in scores])


def _flagged(table: Scores, thresholds: Scores) -> NDArray[np.bool_]:
    return np.asarray((table >= thresholds).any(axis=1), dtype=np.bool_)


def _rate(flagged: NDArray[np.bool_]) -> dict[str, float]:
    rate = float(flagged.mean()) if flagged.size else math.nan
    return {"rows": int(flagged.size), "rate": round(rate, 4)}


def _auroc_by_label(table: Scores, truth: Scores) -> dict[str, Any]:
    return {label: _auroc(table[:, i], truth[:, i]) for i, label in enumerate(LABELS)}


def _auroc(scores: Scores, labels: Scores) -> dict[str, Any]:
    """The chance that a positive row scores above a negative one; rows without a label are out."""
    known = ~np.isnan(labels)
    positive, scores = labels[known] >= 0.5, scores[known]
    count, rest = int(positive.sum()), int((~positive).sum())
    result: dict[str, Any] = {"positive": count, "negative": rest, "auroc": None}
    if min(count, rest) >= _ENOUGH:
        _, place, tied = np.unique(scores, return_inverse=True, return_counts=True)
        rank = (np.cumsum(tied) - (tied - 1) / 2)[place]
        area = (rank[positive].sum() - count * (count + 1) / 2) / (count * rest)
        result["auroc"] = round(float(area), 4)
    return result
