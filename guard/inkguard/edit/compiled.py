"""Compiled denoisers: while a flagged call is drawn, they run as they were before `torch.compile`.

Hooks and processors that are put on a compiled module do not fire, or get traced into graphs that outlive
them. So nothing of an edit is ever traced: what was compiled is set aside within the `with` block, and
put back untouched, with its graphs, after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from types import FunctionType
from typing import Any

from torch import nn
from torch._dynamo.eval_frame import OptimizedModule, innermost_fn

__all__ = ["plain", "set_compiled_aside"]

_FORWARDS = ("forward", "_forward", "_old_forward", "original_forward")
"""Attributes in which torch, accelerate and diffusers keep what a module runs."""


def plain(module: Any) -> Any:
    """What `torch.compile` made `module` of; other modules as they are."""
    return module._orig_mod if isinstance(module, OptimizedModule) else module


def set_compiled_aside(module: nn.Module, undo: ExitStack) -> None:
    """Let `module` and all in it run uncompiled until `undo` is closed.

    Knows `torch.compile(module)`, `module.compile()`, `compile_repeated_blocks()` and
    `module.forward = torch.compile(module.forward)`, also under the hooks of accelerate and diffusers.
    """
    for attributes in _attributes(module):
        for name, value in _uncompiled(attributes):
            undo.callback(attributes.__setitem__, name, attributes[name])
            attributes[name] = value


def _attributes(module: nn.Module) -> Iterator[dict[str, Any]]:
    """Of every module in `module`, itself included, and of the chain of its diffusers hooks."""
    for part in module.modules():
        yield vars(part)
        for link in getattr(vars(part).get("_diffusers_hook"), "_fn_refs", ()):
            yield vars(link)


def _uncompiled(attributes: dict[str, Any]) -> list[tuple[str, Any]]:
    """Names and plain values of those that lead to a compiled call."""
    # Nothing but functions: a hook's `partial` carries the marks of the compiled function that it calls.
    calls = [(n, c) for n in _FORWARDS if isinstance(c := attributes.get(n), FunctionType)]
    changed: list[tuple[str, Any]] = [(n, f) for n, c in calls if (f := innermost_fn(c)) is not c]
    if attributes.get("_compiled_call_impl") is not None:
        changed.append(("_compiled_call_impl", None))
    return changed
