"""Measuring that `inkguard localize` and `inkguard evaluate` share: text, pictures, regions, prompts."""

from __future__ import annotations

from inkguard.measure.errors import MeasureError, require_measure, require_reader
from inkguard.measure.intervals import wilson
from inkguard.measure.pictures import kept
from inkguard.measure.prompts import Pair, read_pairs, world_pairs
from inkguard.measure.region import boxes_region, sign_region
from inkguard.measure.text import characters_f1, exact, near, recall, similarity

__all__ = [
    "MeasureError",
    "Pair",
    "boxes_region",
    "characters_f1",
    "exact",
    "kept",
    "near",
    "read_pairs",
    "recall",
    "require_measure",
    "require_reader",
    "sign_region",
    "similarity",
    "wilson",
    "world_pairs",
]
