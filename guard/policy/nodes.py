"""YAML with positions: every value is read through a node that knows its file, line and column.

Messages name the position and what is wrong with it, never the value: values may be terms.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

import yaml

from guard.errors import PolicyError

__all__ = ["Node", "parse"]

E = TypeVar("E", bound=enum.Enum)
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a YAML file."""

    file: str
    raw: yaml.Node

    def fail(self, problem: str) -> NoReturn:
        """Refuse this value."""
        mark = self.raw.start_mark
        raise PolicyError(f"{self.file}:{mark.line + 1}:{mark.column + 1}: {problem}")

    def items(self) -> Iterator[tuple[Node, Node]]:
        """The keys and values of a mapping. A key that stands twice is refused."""
        if not isinstance(self.raw, yaml.MappingNode):
            self.fail("expected a mapping")
        seen: set[str] = set()
        for raw_key, raw_value in self.raw.value:
            key = Node(self.file, raw_key)
            if not isinstance(raw_key, yaml.ScalarNode):
                key.fail("expected a plain key")
            if raw_key.value in seen:
                key.fail("this key stands here twice")
            seen.add(raw_key.value)
            yield key, Node(self.file, raw_value)

    def fields(self, *, required: frozenset[str], optional: frozenset[str]) -> dict[str, Node]:
        """The values of a mapping with known keys."""
        found: dict[str, Node] = {}
        for key, value in self.items():
            name = key.scalar()
            if name not in required | optional:
                key.fail("unknown key; known here: " + ", ".join(sorted(required | optional)))
            found[name] = value
        missing = sorted(required - found.keys())
        if missing:
            self.fail("missing key: " + ", ".join(missing))
        return found

    def list(self) -> list[Node]:
        """The values of a list."""
        if not isinstance(self.raw, yaml.SequenceNode):
            self.fail("expected a list")
        return [Node(self.file, raw) for raw in self.raw.value]

    def scalar(self) -> str:
        """The characters of a scalar of any type."""
        if not isinstance(self.raw, yaml.ScalarNode):
            self.fail("expected a single value")
        return str(self.raw.value)

    def string(self) -> str:
        """A string that is not empty; YAML's numbers, dates and yes/no must be quoted."""
        value = self.scalar()
        if self.raw.tag != _TAG + "str":
            self.fail("expected a string: put it in quotes")
        if not value.strip():
            self.fail("expected a string that is not empty")
        return value

    def boolean(self) -> bool:
        """`true` or `false`."""
        value = self.scalar()
        if value not in ("true", "false") or self.raw.tag != _TAG + "bool":
            self.fail("expected true or false")
        return value == "true"

    def integer(self, low: int, high: int) -> int:
        """A whole number within bounds."""
        value = self.scalar()
        if not (value.isascii() and value.isdigit() and low <= int(value[:9]) <= high):
            self.fail(f"expected a whole number from {low} to {high}")
        return int(value)

    def fraction(self) -> float:
        """A number from 0 to 1."""
        try:
            number = float(self.scalar())
        except ValueError:
            number = float("nan")
        if self.raw.tag not in (_TAG + "float", _TAG + "int") or not 0 <= number <= 1:
            self.fail("expected a number from 0 to 1")
        return number

    def choice(self, kind: type[E]) -> E:
        """A member of an enum, by its value."""
        value = self.scalar()
        for member in kind:
            if member.value == value:
                return member
        self.fail("expected one of: " + ", ".join(str(member.value) for member in kind))


def parse(path: Path, data: bytes) -> Node:
    """The root of a YAML document; `path` is for messages."""
    try:
        root = yaml.compose(data.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise PolicyError(f"{path}:{line}:{column}: this is not YAML") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise PolicyError(f"{path}:1:1: this is not YAML in UTF-8") from None
    if root is None:
        raise PolicyError(f"{path}:1:1: the file is empty")
    return Node(str(path), root)
