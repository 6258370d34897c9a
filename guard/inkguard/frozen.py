"""A mapping that does not change and that travels: it is pickled, copied and turned into a dict like one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NoReturn, TypeVar

__all__ = ["FrozenDict", "freeze"]

_K = TypeVar("_K")
_V = TypeVar("_V")


class FrozenDict(dict[_K, _V]):
    """A dict whose entries stay as they were given. `copy()` and `|` answer with an ordinary dict.

    `types.MappingProxyType` does the same, but can be neither pickled nor copied. What changes an
    entry raises TypeError.
    """

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} does not change; dict() makes one that does")

    # Each is declared by dict with another signature, and none of them does anything here.
    __setitem__ = __delitem__ = _refuse
    __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        """Raises TypeError where a value has no hash."""
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type[FrozenDict[_K, _V]], tuple[dict[_K, _V]]]:
        return type(self), (dict(self),)


def freeze(record: Any) -> None:
    """Put a FrozenDict in place of every mapping among a dataclass's fields.

    For `__post_init__` of a frozen dataclass: whatever mapping it was made with, the record travels.
    """
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, Mapping) and not isinstance(value, FrozenDict):
            object.__setattr__(record, field.name, FrozenDict(value))
