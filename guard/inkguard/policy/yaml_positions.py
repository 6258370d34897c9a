"""YAML with positions: a file as plain data, and the place (file:line:column) of everything in it.

Messages name the position and what is wrong with it, never the value: values may be terms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from inkguard.errors import PolicyError
from inkguard.policy.schema_types import Bare
from inkguard.policy.yaml_mistakes import why_not_yaml

__all__ = ["Mistakes", "YamlNode", "decoded", "parse"]

_TAG = "tag:yaml.org,2002:"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML was built with it
_DEEPEST = 30  # libyaml's composer has no limit of its own, and crashes
_PLACE = re.compile(r"(.*?):(\d+):(\d+)$")


@dataclass(slots=True)
class Mistakes:
    """What is wrong with the files of a policy: all of it is told at once, each mistake once."""

    _found: dict[tuple[str, str], None] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._found)

    def add(self, place: str, problem: str) -> None:
        """Note a mistake; `place` is file:line:column."""
        self._found[place, problem] = None

    def add_all(self, error: PolicyError) -> None:
        """Note what another reader has found."""
        for mistake in error.mistakes:
            self.add(*mistake)

    def raise_any(self) -> None:
        """Raise PolicyError with all mistakes, file by file and from the top; nothing where there is none."""
        if self._found:
            files: dict[str, int] = {}
            for place, _ in self._found:
                files.setdefault(_split(place)[0], len(files))

            def order(mistake: tuple[str, str]) -> tuple[int, int, int]:
                file, line, column = _split(mistake[0])
                return files[file], line, column

            first, *rest = sorted(self._found, key=order)
            raise PolicyError(*first, *rest)


def _split(place: str) -> tuple[str, int, int]:
    found = _PLACE.match(place)
    return (found[1], int(found[2]), int(found[3])) if found else (place, 0, 0)


@dataclass(frozen=True, slots=True)
class YamlNode:
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
    def text(self) -> str:
        """The characters of a scalar as they stand; empty for anything else."""
        return str(self.raw.value) if self.is_scalar else ""

    def pairs(self) -> Iterator[tuple[YamlNode, YamlNode]]:
        """The keys and values of a mapping; nothing where this is none."""
        if isinstance(self.raw, yaml.MappingNode):
            for key, value in self.raw.value:
                yield YamlNode(self.file, key), YamlNode(self.file, value)

    def values(self) -> list[YamlNode]:
        """The values of a list; nothing where this is none."""
        if not isinstance(self.raw, yaml.SequenceNode):
            return []
        return [YamlNode(self.file, raw) for raw in self.raw.value]

    def key(self, name: object) -> YamlNode | None:
        """The key of a mapping by its characters."""
        return next((key for key, _ in self.pairs() if key.text == str(name)), None)

    def get(self, step: int | str) -> YamlNode | None:
        """A value of a mapping by its key, or of a list by its number; None where there is none."""
        if isinstance(self.raw, yaml.SequenceNode):
            values = self.values()
            return values[step] if isinstance(step, int) and step < len(values) else None
        return next((value for key, value in self.pairs() if key.text == str(step)), None)

    def at(self, steps: Sequence[int | str]) -> YamlNode:
        """What lies at the end of some steps, or as far as they lead: a single value may stand for a list."""
        node = self
        for step in steps:
            node = node.get(step) or node
        return node

    def data(self, mistakes: Mistakes) -> Any:
        """The value as dicts, lists, text, numbers, true, false and None.

        A scalar that YAML reads as something else is a `Bare`. Keys that stand twice and keys that are no
        single value are noted as mistakes.
        """
        return _data(self, mistakes, {})


def _data(node: YamlNode, mistakes: Mistakes, made: dict[int, Any]) -> Any:
    """Each node once: what an alias stands for is the same object, however often it stands there."""
    raw = node.raw
    if id(raw) in made:
        return made[id(raw)]
    if isinstance(raw, yaml.ScalarNode):
        return _scalar(raw)
    if isinstance(raw, yaml.SequenceNode):
        items: list[Any] = []
        made[id(raw)] = items
        items += (_data(value, mistakes, made) for value in node.values())
        return items
    mapping: dict[Any, Any] = {}
    made[id(raw)] = mapping
    seen: set[str] = set()
    for key, value in node.pairs():
        if not isinstance(key.raw, yaml.ScalarNode):
            mistakes.add(key.place, "expected a plain key")
        elif key.text in seen:
            mistakes.add(key.place, "this key stands here twice")
        else:
            seen.add(key.text)
            mapping[_scalar(key.raw)] = _data(value, mistakes, made)
    return mapping


def _scalar(raw: yaml.ScalarNode) -> Any:
    tag, text = str(raw.tag).removeprefix(_TAG), str(raw.value)
    if tag == "str":
        return text
    if tag == "null":
        return None
    if tag == "bool" and text in ("true", "false"):
        return text == "true"
    try:
        if tag == "int" and text.isascii() and text.isdigit() and len(text) < 10:
            return int(text)
        if tag in ("int", "float"):
            return float(text)
    except ValueError:
        pass
    return Bare(text)


def parse(path: Path, data: bytes) -> YamlNode:
    """The root of a YAML document; `path` is for messages. Raises PolicyError."""
    text = decoded(path, data)
    try:
        if _too_deep(text):
            raise PolicyError(f"{path}:1:1", f"more than {_DEEPEST} levels of lists and mappings")
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        line, column, why = why_not_yaml(text, line, column, error.problem or "")
        raise PolicyError(f"{path}:{line + 1}:{column + 1}", f"this is not YAML{why}") from None
    except yaml.reader.ReaderError as error:
        line, column = _position(text, error.position)
        problem = "this is not YAML: a control character, which YAML does not allow"
        raise PolicyError(f"{path}:{line}:{column}", problem) from None
    except yaml.YAMLError:
        raise PolicyError(f"{path}:1:1", "this is not YAML") from None
    if root is None:
        raise PolicyError(f"{path}:1:1", "the file is empty")
    return YamlNode(str(path), root)


def decoded(path: Path, data: bytes) -> str:
    """The text of a file in UTF-8; raises PolicyError with the place of the first byte that is none."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        line, column = _position(before, len(before))
        problem = "this is not text in UTF-8: save the file in that encoding"
        raise PolicyError(f"{path}:{line}:{column}", problem) from None


def _position(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - before.rfind("\n")


def _too_deep(text: str) -> bool:
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            return True
    return False
