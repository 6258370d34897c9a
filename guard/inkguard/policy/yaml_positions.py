"""YAML with positions: every value is read through a node that knows its file, line and column.

Messages name the position and what is wrong with it, never the value: values may be terms.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn, TypeVar

import yaml

from inkguard.errors import PolicyError

__all__ = ["Node", "meant", "parse"]

E = TypeVar("E", bound=enum.Enum)
_TAG = "tag:yaml.org,2002:"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML was built with it
_MOST_LISTED = 40
_DEEPEST = 30  # libyaml's composer has no limit of its own, and crashes


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a YAML file."""

    file: str
    raw: yaml.Node

    @property
    def place(self) -> str:
        """file:line:column."""
        mark = self.raw.start_mark
        return f"{self.file}:{mark.line + 1}:{mark.column + 1}"

    @property
    def is_scalar(self) -> bool:
        return isinstance(self.raw, yaml.ScalarNode)

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.raw, yaml.MappingNode)

    @property
    def is_null(self) -> bool:
        """Whether this is `null`, or nothing at all."""
        return bool(self.raw.tag == _TAG + "null")

    @property
    def is_boolean(self) -> bool:
        """Whether this is `true` or `false`, spelled so."""
        return (
            isinstance(self.raw, yaml.ScalarNode)
            and self.raw.tag == _TAG + "bool"
            and self.raw.value in ("true", "false")
        )

    def fail(self, problem: str) -> NoReturn:
        """Refuse this value."""
        raise PolicyError(f"{self.place}: {problem}")

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
                key.fail("unknown key; " + meant(name, required | optional))
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
        if not self.is_boolean:
            self.fail("expected true or false")
        return value == "true"

    def one_or_more(self) -> tuple[Node, ...]:
        """The values of a list, or a single one."""
        return (self,) if self.is_scalar else tuple(self.list())

    def date(self) -> datetime.date:
        """A day, as 2027-01-31."""
        try:
            return datetime.date.fromisoformat(self.scalar())
        except ValueError:
            self.fail("expected a date: YYYY-MM-DD")

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
        values = [str(member.value) for member in kind]
        self.fail("expected one of: " + ", ".join(values) + nearest(value, values))

    def known(self, what: str, names: Iterable[str]) -> str:
        """One of `names`, which are what the policy has of `what`."""
        value, names = self.scalar(), sorted(names)
        if value not in names:
            self.fail(f"the policy has no such {what}; {meant(value, names, 'it has')}")
        return value


def nearest(name: str, names: Iterable[str]) -> str:
    """Either " (did you mean ...?)" or, where no name is near, nothing."""
    close = get_close_matches(name.casefold(), list(names), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def meant(name: str, names: Iterable[str], known: str = "known here") -> str:
    """The known names, where they are not too many, and the nearest of them."""
    names = sorted(names)
    listed = ", ".join(names) if len(names) <= _MOST_LISTED else f"{len(names)} of them"
    listed = listed or "none"
    return f"{known}: {listed}{nearest(name, names)}"


def parse(path: Path, data: bytes) -> Node:
    """The root of a YAML document; `path` is for messages."""
    try:
        text = data.decode("utf-8-sig")
        if _too_deep(text):
            raise PolicyError(f"{path}:1:1: more than {_DEEPEST} levels of lists and mappings")
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise PolicyError(f"{path}:{line}:{column}: this is not YAML") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise PolicyError(f"{path}:1:1: this is not YAML in UTF-8") from None
    if root is None:
        raise PolicyError(f"{path}:1:1: the file is empty")
    return Node(str(path), root)


def _too_deep(text: str) -> bool:
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            return True
    return False
