"""A pipeline of another class over the parts of one that there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["over_same_parts"]


def over_same_parts(kind: Any, pipe: Any, parts: Mapping[str, Any]) -> Any:
    """A pipeline of the class `kind` over the parts of `pipe`, in whatever dtype each of them has.

    diffusers' `from_pipe` casts them to float32, unless told a dtype, and the pipeline that it is
    made of shares them.
    """
    casts = any(parts.get(name) is not None for name in ("dtype", "torch_dtype"))
    if casts:
        return kind.from_pipe(pipe, **parts)

    def to(self: Any, *_args: Any, **_named: Any) -> Any:
        return self

    still: Any = type(kind.__name__, (kind,), {"to": to, "__module__": kind.__module__})
    made = still.from_pipe(pipe, **parts)
    made.__class__ = kind
    return made
