"""An organisation's own lists: one term per line, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inkguard.errors import PolicyError
from inkguard.policy.schema_types import meant
from inkguard.policy.yaml_positions import Mistakes, decoded

__all__ = ["COLUMNS", "FORMATS", "Row", "read_rows"]

COLUMNS = ("term", "category", "severity", "action", "match")
"""What CSV columns and JSON objects may hold; only `term` must be there."""


@dataclass(frozen=True, slots=True)
class Row:
    """A term of a list, and what its row says of it. `place` is file:line:column."""

    term: str = field(repr=False)
    more: dict[str, str]
    place: str


def read_rows(path: Path, data: bytes, mistakes: Mistakes) -> Iterator[Row]:
    """The rows of a list in the format that the file's name ends in.

    Rows that cannot be used are left out and noted among `mistakes`, each with its place.
    """
    if path.suffix not in FORMATS:
        mistakes.add(f"{path}:1:1", f"expected a file named {', '.join(FORMATS)}")
        return
    try:
        text = decoded(path, data)
    except PolicyError as error:
        mistakes.add_all(error)
        return
    yield from FORMATS[path.suffix](path, text, mistakes)


def _lines(path: Path, text: str, _: Mistakes) -> Iterator[Row]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield Row(line.strip(), {}, f"{path}:{number}:1")


def _csv(path: Path, text: str, mistakes: Mistakes) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, ())]
        unknown = [name for name in header if name not in COLUMNS]
        for name in unknown:
            mistakes.add(f"{path}:1:1", f"unknown column; {meant(name, COLUMNS)}")
        if unknown:
            return
        if "term" not in header or len(set(header)) < len(header):
            mistakes.add(f"{path}:1:1", "the header needs a column term, and each column once")
            return
        line = reader.line_num + 1
        for values in reader:
            place, line = f"{path}:{line}:1", reader.line_num + 1
            if values and len(values) != len(header):
                mistakes.add(place, f"{len(values)} values for {len(header)} columns")
            elif values:
                yield _row(dict(zip(header, map(str.strip, values), strict=True)), place)
    except csv.Error:
        mistakes.add(f"{path}:{reader.line_num}:1", "this is not CSV")


def _json(path: Path, text: str, mistakes: Mistakes) -> Iterator[Row]:
    try:
        items = json.loads(text)
    except json.JSONDecodeError as error:
        mistakes.add(f"{path}:{error.lineno}:{error.colno}", "this is not JSON")
        return
    except RecursionError:
        mistakes.add(f"{path}:1:1", "this is not JSON")
        return
    if not isinstance(items, list):
        mistakes.add(f"{path}:1:1", "expected a list of terms")
        return
    for number, item in enumerate(items, 1):
        place = f"{path}:1:1: item {number}"
        if isinstance(item, str):
            yield _row({"term": item}, place)
        elif problem := _no_row(item):
            mistakes.add(place, problem)
        else:
            yield _row(item, place)


def _no_row(item: Any) -> str:
    """What is wrong with an item of a JSON list; empty where it can be used."""
    if not isinstance(item, dict) or not all(isinstance(v, str) for v in item.values()):
        return "expected a string, or an object of strings"
    for name in item:
        if name not in COLUMNS:
            return "unknown key; " + meant(name, COLUMNS)
    return "" if "term" in item else "missing key: term"


def _row(values: dict[str, str], place: str) -> Row:
    return Row(values["term"], {k: v for k, v in values.items() if k != "term" and v}, place)


FORMATS: dict[str, Callable[[Path, str, Mistakes], Iterator[Row]]] = {
    ".txt": _lines,
    ".csv": _csv,
    ".json": _json,
}
