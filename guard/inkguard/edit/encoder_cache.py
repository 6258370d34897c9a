"""Text is encoded once a call: what an adapter encodes ahead, the pipeline's own call does not encode again.

What is kept is the output of the text encoders, not of `encode_prompt`: batches, repeats and masks stay
the pipeline's own. Donors are encoded apart from the prompts, since in a larger batch the
prompts' text rounds differently (sd3-tiny's CLIPs do in float32), and rows that are not flagged would change.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial, wraps
from typing import Any, TypeVar, cast

import torch
from torch import nn

from inkguard.edit.substitution import Substitution

__all__ = ["encoded_once"]

_ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")
_CALL = "_compiled_call_impl"
"""What a module runs in place of itself, where this is set; so a compiled encoder's graph stays as it is."""

_Method = TypeVar("_Method", bound=Callable[..., Substitution])


def encoded_once(substituted: _Method) -> _Method:
    """For an adapter's `substituted`: its edit hands on what was encoded to the pipeline call within it."""

    @wraps(substituted)
    def keeping(adapter: Any, pipe: Any, *given: Any, **named: Any) -> Substitution:
        kept = _Kept(pipe)
        with kept.kept():
            edit = substituted(adapter, pipe, *given, **named)
        edit.while_encoding(kept.handed_out)
        return edit

    return cast("_Method", keeping)


class _Kept:
    """Outputs of a pipeline's text encoders, by encoder and arguments."""

    def __init__(self, pipe: Any) -> None:
        found = (getattr(pipe, name, None) for name in _ENCODERS)
        self._encoders: list[Any] = [m for m in dict.fromkeys(found) if isinstance(m, nn.Module)]
        self._outputs: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []
        self._owner = threading.get_ident()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Within, what the encoders return is kept."""
        with self._in_place_of_encoders(self._keep):
            yield

    @contextmanager
    def handed_out(self) -> Iterator[None]:
        """Within, encoders return what was kept, once each; the rest is dropped at the end."""
        with ExitStack() as undo:
            undo.callback(self._outputs.clear)
            undo.enter_context(self._in_place_of_encoders(self._hand_out))
            yield

    @contextmanager
    def _in_place_of_encoders(self, answer: Callable[..., Any]) -> Iterator[None]:
        """Calls of the encoders become `answer(encoder, call, *args, **kwargs)`, with `call` their own."""
        with ExitStack() as undo:
            for encoder in self._encoders:
                attributes = vars(encoder)
                original = attributes.get(_CALL)
                if _CALL in attributes:
                    undo.callback(attributes.__setitem__, _CALL, original)
                else:
                    undo.callback(attributes.pop, _CALL)
                attributes[_CALL] = partial(answer, encoder, original or encoder._call_impl)
            yield

    def _keep(self, encoder: Any, call: Any, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != self._owner:  # an unguarded pipeline with the same encoder
            return call(*args, **kwargs)
        known = self._find(encoder, args, kwargs)
        if known is not None:
            return self._outputs[known][-1]
        output = call(*args, **kwargs)
        self._outputs.append((encoder, args, kwargs, output))
        return output

    def _hand_out(self, encoder: Any, call: Any, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != self._owner:
            return call(*args, **kwargs)
        known = self._find(encoder, args, kwargs)
        return call(*args, **kwargs) if known is None else self._outputs.pop(known)[-1]

    def _find(self, encoder: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
        for n, (kept, kept_args, kept_kwargs, _) in enumerate(self._outputs):
            if (
                kept is encoder
                and len(kept_args) == len(args)
                and kept_kwargs.keys() == kwargs.keys()
                and all(_same(a, b) for a, b in zip(kept_args, args, strict=True))
                and all(_same(kept_kwargs[k], v) for k, v in kwargs.items())
            ):
                return n
        return None


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.dtype == b.dtype and a.device == b.device and torch.equal(a, b)
    return a is b or (isinstance(a, int | str) and type(a) is type(b) and a == b)
