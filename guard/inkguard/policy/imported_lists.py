"""An organisation's own lists: one term per line, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from inkguard.errors import PolicyError
from inkguard.policy.yaml_positions import meant

__all__ = ["COLUMNS", "FORMATS", "Row", "read_rows"]

COLUMNS = ("term", "category", "severity", "action", "match")
"""What CSV columns and JSON objects may hold; only `term` must be there."""


@dataclass(frozen=True, slots=True)
class Row:
    """A term of a list, and what its row says of it. `place` is file:line:column."""

    term: str = field(repr=False)
    more: dict[str, str]
    place: str


def read_rows(path: Path, data: bytes) -> Iterator[Row]:
    """The rows of a list in the format that the file's name ends in; raises PolicyError."""
    if path.suffix not in FORMATS:
        raise PolicyError(f"{path}:1:1: expected a file named {', '.join(FORMATS)}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PolicyError(f"{path}:1:1: this is not text in UTF-8") from None
    return FORMATS[path.suffix](path, text)


def _lines(path: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield Row(line.strip(), {}, f"{path}:{number}:1")


def _csv(path: Path, text: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, ())]
        for name in header:
            if name not in COLUMNS:
                raise PolicyError(f"{path}:1:1: unknown column; {meant(name, COLUMNS)}")
        if "term" not in header or len(set(header)) < len(header):
            raise PolicyError(f"{path}:1:1: the header needs a column term, and each column once")
        line = reader.line_num + 1
        for values in reader:
            place, line = f"{path}:{line}:1", reader.line_num + 1
            if not values:
                continue
            if len(values) != len(header):
                raise PolicyError(f"{place}: {len(values)} values for {len(header)} columns")
            yield _row(dict(zip(header, map(str.strip, values), strict=True)), place)
    except csv.Error:
        raise PolicyError(f"{path}:{reader.line_num}:1: this is not CSV") from None


def _json(path: Path, text: str) -> Iterator[Row]:
    try:
        items = json.loads(text)
    except json.JSONDecodeError as error:
        raise PolicyError(f"{path}:{error.lineno}:{error.colno}: this is not JSON") from None
    except RecursionError:
        raise PolicyError(f"{path}:1:1: this is not JSON") from None
    if not isinstance(items, list):
        raise PolicyError(f"{path}:1:1: expected a list of terms")
    for number, item in enumerate(items, 1):
        place = f"{path}:1:1: item {number}"
        yield _row({"term": item} if isinstance(item, str) else _object(item, place), place)


def _object(item: Any, place: str) -> dict[str, str]:
    def fail(problem: str) -> NoReturn:
        raise PolicyError(f"{place}: {problem}")

    if not isinstance(item, dict) or not all(isinstance(v, str) for v in item.values()):
        fail("expected a string, or an object of strings")
    for name in item:
        if name not in COLUMNS:
            fail("unknown key; " + meant(name, COLUMNS))
    if "term" not in item:
        fail("missing key: term")
    return item


def _row(values: dict[str, str], place: str) -> Row:
    return Row(values["term"], {k: v for k, v in values.items() if k != "term" and v}, place)


FORMATS: dict[str, Callable[[Path, str], Iterator[Row]]] = {
    ".txt": _lines,
    ".csv": _csv,
    ".json": _json,
}
