"""What several policy files say together, where one extends another: key by key, as the schema says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from inkguard.policy.schema import Layered, PolicyFile

__all__ = ["merged"]


def merged(files: Sequence[PolicyFile]) -> dict[str, Any]:
    """The value of each key; `files` begin with the one that extends no other.

    Word lists, allow-lists and replacements are not put together here, since their files have to be read.
    """
    said: dict[str, Any] = {}
    for name, field in PolicyFile.model_fields.items():
        how = next(m for m in field.metadata if isinstance(m, Layered))
        value = field.get_default()
        for number, file in enumerate(files):
            if name in file.model_fields_set:
                value = _over(how, value, getattr(file, name))
            elif how is Layered.OWN and number == len(files) - 1:
                value = field.get_default()
        said[name] = value
    return said


def _over(how: Layered, before: Any, said: Any) -> Any:
    if how is Layered.PARTS and isinstance(said, BaseModel) and isinstance(before, BaseModel):
        return before.model_copy(update={k: getattr(said, k) for k in said.model_fields_set})
    if how is Layered.ADDED:
        return _added(before, said)
    if how is Layered.YOURS_FIRST:
        return (*said, *before)
    if how is Layered.LABELS:
        return {label: value for label, value in {**before, **said}.items() if value is not None}
    return said


def _added(before: Any, said: Any) -> Any:
    if isinstance(said, BaseModel):
        parts = {k: _added(getattr(before, k), getattr(said, k)) for k in said.model_fields_set}
        return before.model_copy(update=parts)
    return {**before, **said} if isinstance(said, dict) else (*before, *said)
