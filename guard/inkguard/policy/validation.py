"""Values of files against the models of the policy language, with the place and our own words for each mistake."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, RootModel, Tag, TypeAdapter, ValidationError

from inkguard.policy.schema_types import Known, meant, nearest
from inkguard.policy.yaml_positions import Mistakes, YamlNode

__all__ = ["keys_of", "validated"]

T = TypeVar("T")
_TAG = re.compile(r"<\w+>")
"""How `inkguard.policy.schema` calls the kinds of a value that may be several things; no key is called so."""
_FRACTION = "expected a number from 0 to 1"
_LENGTH = "expected a whole number from 1 to 40"
_WORDING = {
    "string_pattern_mismatch": "expected a string that is not empty",
    "string_type": "expected a string: put it in quotes",
    "bool_type": "expected true or false",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
    "model_attributes_type": "expected a mapping",
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "frozen_set_type": "expected a list",
    "float_type": _FRACTION,
    "finite_number": _FRACTION,
    "int_type": _LENGTH,
    "int_parsing": _LENGTH,
    "int_from_float": _LENGTH,
    "too_short": "expected at least one; leave the key out for any",
}
_SINGLE = ("string_type", "bool_type", "enum", "float_type", "literal_error")


def validated(
    kind: type[T], node: YamlNode, data: Any, mistakes: Mistakes, known: Known | None = None
) -> T | None:
    """A value as a model; None where it is none, with everything that is wrong with it among `mistakes`.

    `data` is what `node.data` gave. `known` are the names that it may refer to.
    """
    try:
        value: T = _adapter(typing.cast(Any, kind)).validate_python(data, context=known)
        return value
    except ValidationError as error:
        for place, problem in _told(kind, node, error):
            mistakes.add(place, problem)
        return None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _told(kind: Any, root: YamlNode, error: ValidationError) -> Iterator[tuple[str, str]]:
    missing: dict[str, list[str]] = {}
    for detail in error.errors(include_url=False, include_input=False):
        what = detail["type"]
        steps = [s for s in detail["loc"] if not (isinstance(s, str) and _TAG.fullmatch(s))]
        if what == "missing":
            missing.setdefault(root.at(steps[:-1]).place, []).append(str(steps[-1]))
        elif what in ("extra_forbidden", "invalid_key"):
            parent, name = root.at(steps[:-1]), str(steps[-1])
            problem = f"unknown key; {meant(name, keys_of(kind, detail['loc'][:-1]))}"
            yield (parent.key(name) or parent).place, problem
        else:
            node = _named(root, steps)
            yield node.place, _problem(node, what, detail.get("ctx", {}))
    for place, names in missing.items():
        yield place, "missing key: " + ", ".join(sorted(names))


def _named(root: YamlNode, steps: Sequence[int | str]) -> YamlNode:
    """What a mistake is about: a value, or a key of a mapping with any keys."""
    if steps and steps[-1] == "[key]":
        return root.at(steps[:-2]).key(steps[-2]) or root.at(steps[:-2])
    return root.at(steps)


def _problem(node: YamlNode, what: str, context: dict[str, Any]) -> str:
    if what == "wrong":
        return str(context["problem"])
    if what in _SINGLE and not node.is_scalar:
        return "expected a single value"
    if what in ("enum", "literal_error"):
        names = re.findall(r"'([^']*)'", str(context["expected"]))
        if len(names) == 1:
            return f"expected {names[0]}"
        return f"expected one of: {', '.join(names)}{nearest(node.text, names)}"
    if what in ("greater_than_equal", "less_than_equal"):
        return _LENGTH if context in ({"ge": 1}, {"le": 40}) else _FRACTION
    return _WORDING.get(what, "this is not what belongs here")


def keys_of(kind: Any, steps: Sequence[int | str]) -> list[str]:
    """The keys that a value may have, at the end of some steps into a model."""
    kinds = list(_alternatives(kind))
    for step in steps:
        kinds = [inner for k in kinds for inner in _inner(k, step)]
    models = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
    return sorted({f.alias or name for model in models for name, f in model.model_fields.items()})


def _inner(kind: Any, step: int | str) -> Iterator[Any]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:  # one of several kinds of value: the step is its tag
        if any(isinstance(said, Tag) and said.tag == step for said in arguments[1:]):
            yield from _alternatives(arguments[0])
    elif isinstance(kind, type) and issubclass(kind, RootModel):
        yield from _inner(kind.model_fields["root"].annotation, step)
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if step == (field.alias or name):
                yield from _alternatives(field.annotation)
    elif origin is dict:
        yield from _alternatives(arguments[1])
    elif origin in (tuple, list, frozenset):
        yield from _alternatives(arguments[0])


def _alternatives(kind: Any) -> Iterator[Any]:
    """What a value may be; of what is annotated, only tags are kept."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated and not any(isinstance(said, Tag) for said in arguments[1:]):
        yield from _alternatives(arguments[0])
    elif origin in (typing.Union, types.UnionType):
        for argument in arguments:
            yield from _alternatives(argument)
    else:
        yield kind
