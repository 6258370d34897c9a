"""Things of a class made up from its annotations, and the ways on which they travel."""

from __future__ import annotations

import copy
import dataclasses
import enum
import importlib
import inspect
import pickle
import pkgutil
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from PIL import Image

import inkguard
import inkguard.types
import inkguard_server
from inkguard.picture import Picture
from inkguard.types import Action

__all__ = ["WAYS", "every_error", "import_all", "made_up", "subclasses"]

WAYS: dict[str, Callable[[Any], Any]] = {
    **{
        f"pickle {n}": (lambda thing, n=n: pickle.loads(pickle.dumps(thing, n)))
        for n in range(2, pickle.HIGHEST_PROTOCOL + 1)
    },
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
_BY_NAME: dict[str, Any] = {"start": 0, "end": 4, "text": "dunc", "serialised": b""}
"""Offsets must hold their text, and serialised bytes a message."""


def import_all() -> None:
    """Every module of the packages, so that every class is known."""
    for package in (inkguard, inkguard_server):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)


def subclasses(root: type) -> Iterator[type]:
    """A class and all that inherit from it, each once."""
    found = {root: None}
    for kind in type.__subclasses__(root):
        found |= dict.fromkeys(subclasses(kind))
    return iter(found)


def of_ours(kind: type) -> bool:
    """Whether the packages define a class."""
    return kind.__module__.split(".")[0] in ("inkguard", "inkguard_server")


def every_error() -> list[type]:
    """All exceptions that the packages define."""
    import_all()
    return [kind for kind in subclasses(BaseException) if of_ours(kind)]


def made_up(kind: type) -> Any:
    """One with a value in every field or argument, optional ones too."""
    hints = _hints(kind)
    if dataclasses.is_dataclass(kind):
        names = [f.name for f in dataclasses.fields(kind)]
        return kind(**{n: _BY_NAME.get(n, _value(hints[n])) for n in names})
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        required = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        return kind(*("what is wrong" for _ in required or [None]))  # Exception itself takes one
    named = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    values = {p.name: _BY_NAME.get(p.name, _value(hints[p.name])) for p in parameters}
    return kind(
        *(v for n, v in values.items() if n not in named),
        **{n: v for n, v in values.items() if n in named},
    )


def _hints(kind: type) -> dict[str, Any]:
    of: Any = kind if dataclasses.is_dataclass(kind) else kind.__init__  # type: ignore[misc]
    return typing.get_type_hints(of, localns=vars(inkguard.types))


def _value(hint: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _value(next(a for a in arguments if a is not type(None)))
    if origin is tuple:
        each = arguments[:-1] if arguments[-1] is Ellipsis else arguments
        return tuple(map(_value, each))
    if inspect.isclass(origin) and issubclass(origin, Mapping):
        return {_value(arguments[0]): _value(arguments[1])}
    if hint is Action:
        return Action.SUBSTITUTE  # goes with a donor prompt
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        return list(hint)[-1]
    if hint is Picture:
        return Picture(image=Image.new("RGB", (2, 2), (1, 2, 3)))
    plain = {str: "x", int: 1, float: 0.5, bool: True, bytes: b"x", Any: 1}
    return plain[hint] if hint in plain else made_up(hint)
