"""The mapping of records: it does not change, and it travels."""

from __future__ import annotations

import ast
import copy
import dataclasses
import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from inkguard.frozen import FrozenDict, freeze

ROOT = Path(__file__).resolve().parents[1]
GIVEN = {"a": 1, "b": 2}
CHANGES: dict[str, Callable[[Any], object]] = {
    "set": lambda d: d.__setitem__("a", 3),
    "delete": lambda d: d.__delitem__("a"),
    "clear": lambda d: d.clear(),
    "pop": lambda d: d.pop("a"),
    "popitem": lambda d: d.popitem(),
    "setdefault": lambda d: d.setdefault("c", 3),
    "update": lambda d: d.update(a=3),
    "or": lambda d: d.__ior__({"a": 3}),
}


@dataclass(frozen=True, slots=True)
class Record:
    """As the guard's records are."""

    numbers: Mapping[str, int] = FrozenDict()
    name: str = ""

    def __post_init__(self) -> None:
        freeze(self)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_nothing_changes_it(change: Callable[[Any], object]) -> None:
    """Whatever a dict has for changing entries raises TypeError and leaves them."""
    frozen = FrozenDict(GIVEN)
    with pytest.raises(TypeError, match="does not change"):
        change(frozen)
    assert frozen == GIVEN


def test_what_changes_a_dict_is_refused_without_being_named() -> None:
    """A method that dict gains in a later Python is told apart: it reads, or it is refused."""
    reads = {"copy", "fromkeys", "get", "items", "keys", "values"}
    changes = {n for n in dir(dict) if not n.startswith("_")} - reads
    own = vars(FrozenDict)
    assert changes <= own.keys()
    assert {"__setitem__", "__delitem__", "__ior__"} <= own.keys()


def test_what_is_made_of_it_is_an_ordinary_dict() -> None:
    """Copies and unions may be changed; JSON takes it as it is."""
    frozen = FrozenDict(GIVEN)
    assert type(frozen.copy()) is type(frozen | {"c": 3}) is dict
    assert json.loads(json.dumps(frozen)) == GIVEN


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_pickled_as_itself(protocol: int) -> None:
    """With every protocol the guard supports."""
    back = pickle.loads(pickle.dumps(FrozenDict(GIVEN), protocol))
    assert type(back) is FrozenDict
    assert back == GIVEN


def test_it_is_copied_as_itself() -> None:
    """A shallow and a deep copy stay frozen; the deep one shares nothing that can change."""
    frozen = FrozenDict({"a": [1]})
    for copied in (copy.copy(frozen), copy.deepcopy(frozen)):
        assert type(copied) is FrozenDict
        assert copied == frozen
    assert copy.deepcopy(frozen)["a"] is not frozen["a"]


def test_a_record_keeps_its_own_mapping() -> None:
    """What it was made with may change afterwards; the record does not."""
    given = dict(GIVEN)
    record = Record(given)
    given["a"] = 9
    assert record.numbers == GIVEN
    assert type(record.numbers) is FrozenDict
    assert hash(record) == hash(Record(GIVEN))
    assert dataclasses.asdict(record) == {"numbers": GIVEN, "name": ""}
    assert dataclasses.replace(record, name="x").numbers == GIVEN


@pytest.mark.parametrize(
    "file",
    sorted(
        p.relative_to(ROOT).as_posix()
        for top in ("guard", "server")
        for p in (ROOT / top).rglob("*.py")
    ),
)
def test_no_module_keeps_a_mapping_that_cannot_travel(file: str) -> None:
    """`types.MappingProxyType` can be neither pickled nor copied; nothing uses it."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    names |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    assert "MappingProxyType" not in names
