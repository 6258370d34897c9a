"""Text is encoded once a call: what was encoded for the edit, the pipeline's own call does not encode again.

What is kept is the output of the text encoders, not of `encode_prompt`: batches, repeats and masks stay
the pipeline's own. Donors are encoded apart from the prompts, since in a larger batch the
prompts' text rounds differently (sd3-tiny's CLIPs do in float32), and rows that are not flagged would change.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from inkguard.edit.diffusers_internals import answering_for

__all__ = ["EncoderCache"]


class EncoderCache:
    """Outputs of text encoders, by encoder and arguments; what is no module among `encoders` is passed over.

    It belongs to the thread that made it: an unguarded pipeline may share the encoders. Example::

        cache = EncoderCache([pipe.text_encoder])
        with cache.recording():
            states = pipe.encode_prompt(...)
        with cache.replaying():
            pipe(...)  # the encoder does not run for what was recorded
    """

    def __init__(self, encoders: Iterable[Any]) -> None:
        found = dict.fromkeys(e for e in encoders if isinstance(e, nn.Module))
        self._encoders: list[Any] = [*found]
        self._outputs: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []
        self._owner = threading.get_ident()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Within, what the encoders return is kept, and what is known is not encoded again."""
        with self._answering(self._record):
            yield

    @contextmanager
    def replaying(self) -> Iterator[None]:
        """Within, encoders return what was kept, once each; the rest is dropped at the end."""
        with ExitStack() as undo:
            undo.callback(self._outputs.clear)
            undo.enter_context(self._answering(self._replay))
            yield

    @contextmanager
    def _answering(self, answer: Callable[..., Any]) -> Iterator[None]:
        with ExitStack() as undo:
            for encoder in self._encoders:
                undo.enter_context(answering_for(encoder, partial(answer, encoder)))
            yield

    def _record(self, encoder: Any, call: Any, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != self._owner:
            return call(*args, **kwargs)
        known = self._find(encoder, args, kwargs)
        if known is not None:
            return self._outputs[known][-1]
        output = call(*args, **kwargs)
        self._outputs.append((encoder, args, kwargs, output))
        return output

    def _replay(self, encoder: Any, call: Any, *args: Any, **kwargs: Any) -> Any:
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
