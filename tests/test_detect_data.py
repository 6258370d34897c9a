"""The evaluation set of bench/detect.py is what docs/results/detection.md says it is."""

from __future__ import annotations

import collections
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parent / "data"
FILE = DATA / "detect.jsonl"
FIELDS = ["id", "prompt", "text", "label", "class", "form", "language"]
FIELDS += ["severity", "category", "term"]
CLEAR = {"plain": 225, "framed": 60, "inflected": 126, "compound": 90, "phrase": 132}
CLEAR |= {"plain_de": 51, "plain_es": 53}
DISGUISES = (
    *("leet", "separators", "inner_space", "zero_width", "confusable_cyrillic", "confusable_greek"),
    *(
        "fullwidth",
        "math_alphanumeric",
        "enclosed",
        "small_caps",
        "upside_down",
        "repeated_letters",
    ),
    *("masked", "reversed", "two_lines", "combining_marks", "emoji_letters", "mixed_case", "glued"),
    *("misspelled", "stacked", "split_spans", "split_scene", "letters_listed", "weight_syntax"),
)
TOXIC = CLEAR | dict.fromkeys(DISGUISES, 42) | {"phonetic": 63}
HARMLESS = {"scunthorpe": 234, "name": 214, "place": 144, "cocktail_food": 105, "medical": 62}
HARMLESS |= {"identity_term": 81, "double_meaning": 119, "foreign_word": 104}
HARMLESS |= {"everyday_sign": 180, "scene_without_text": 119, "quote_style": 40}
HARMLESS |= {"everyday_de": 26, "everyday_es": 31, "leet_nickname": 78, "brand_spaced": 57}
HARMLESS |= {
    "cyrillic_name": 64,
    "number_plate": 37,
    "styled_unicode": 54,
    "disguised_harmless": 100,
}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]


def wrong(rows: list[dict[str, Any]]) -> list[str]:
    """What a failing assertion may show: ids, not texts."""
    return [row["id"] for row in rows]


def test_rows_are_well_formed(rows: list[dict[str, Any]]) -> None:
    """Every row has all fields, the text stands in the prompt, and only toxic rows have a severity."""
    assert wrong([row for row in rows if list(row) != FIELDS]) == []
    assert wrong([row for row in rows if not row["prompt"] or len(row["prompt"]) > 400]) == []
    assert wrong([row for row in rows if row["text"] not in row["prompt"]]) == []
    assert {row["label"] for row in rows} == {"toxic", "harmless"}
    assert {row["language"] for row in rows} == {"en", "de", "es"}
    toxic = [row for row in rows if row["label"] == "toxic"]
    assert (
        wrong([row for row in toxic if row["severity"] not in ("mild", "moderate", "severe")]) == []
    )
    assert wrong([row for row in toxic if not row["term"]]) == []
    english = [row for row in toxic if row["language"] == "en"]
    categories = {"insult", "profanity", "sexual", "slur", "threat"}
    assert wrong([row for row in english if row["category"] not in categories]) == []
    harmless = [row for row in rows if row["label"] == "harmless"]
    assert wrong([row for row in harmless if row["severity"] or row["term"]]) == []


def test_ids_are_unique_and_name_the_class(rows: list[dict[str, Any]]) -> None:
    """An id is its class and a number."""
    assert len({row["id"] for row in rows}) == len(rows)
    assert wrong([row for row in rows if row["id"].rpartition("-")[0] != row["class"]]) == []


def test_classes_have_the_documented_sizes(rows: list[dict[str, Any]]) -> None:
    """Half harmless, and every class as large as docs/results/detection.md says."""
    counts = collections.Counter((row["label"], row["class"]) for row in rows)
    documented = {("toxic", name): n for name, n in TOXIC.items()}
    documented |= {("harmless", name): n for name, n in HARMLESS.items()}
    assert dict(counts) == documented
    toxic = sum(row["label"] == "toxic" for row in rows)
    assert abs(toxic / len(rows) - 0.5) < 0.01


def test_terms_and_forms_are_many(rows: list[dict[str, Any]]) -> None:
    """At least 150 single toxic words, and every form at least ten times."""
    assert len({row["term"] for row in rows if row["class"] == "plain"}) >= 150
    forms = collections.Counter(row["form"] for row in rows)
    assert len(forms) >= 25
    assert min(forms.values()) >= 10


def test_no_text_has_both_labels(rows: list[dict[str, Any]]) -> None:
    """No prompt occurs twice, and no text is toxic in one row and harmless in another."""
    assert len({row["prompt"] for row in rows}) == len(rows)
    labels = collections.defaultdict(set)
    for row in rows:
        if row["text"]:
            labels[row["text"].casefold()].add(row["label"])
    both = {text for text, seen in labels.items() if len(seen) > 1}
    assert wrong([row for row in rows if row["text"].casefold() in both]) == []


def test_the_script_makes_the_same_bytes(tmp_path: Path) -> None:
    """The committed file is what the committed seeds and script make, whatever the hash seed."""
    made = tmp_path / "made.jsonl"
    env = os.environ | {"PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, DATA / "make_detect.py", made], check=True, env=env)
    # Not compared by ==, whose failure would print the texts.
    same = made.read_bytes() == FILE.read_bytes()
    assert same, "run python tests/data/make_detect.py"
