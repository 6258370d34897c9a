"""The user's functions between two steps: they are handed the guarded pipeline, and may not bring in text.

diffusers lets a callback exchange the tensors of a call, the prompt's embeddings among them. What a
callback hands back is compared with what it was given: latents may change, everything else may only lose
leading rows, as it does where a callback ends guidance half-way. The rest would be text or pictures
that nobody checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback

from inkguard.errors import InvalidInput, UnguardedUse

__all__ = ["Callbacks"]

_FREE = "latents"
"""What a callback may change: the picture itself, which is read after drawing if it did."""


class Callbacks:
    """The callbacks of one pipeline call. `changed_latents` says whether one of them changed the picture."""

    def __init__(self, guarded: Any) -> None:
        self._guarded = guarded
        self._given: dict[str, torch.Tensor] = {}
        self.changed_latents = False

    def watched(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """The call with every callback of it under watch."""
        more: dict[str, Any] = {}
        if (on_step_end := call.get("callback_on_step_end")) is not None:
            more["callback_on_step_end"] = self._on_step_end(on_step_end)
            if isinstance(on_step_end, (PipelineCallback, MultiPipelineCallbacks)):
                # The pipeline asks callbacks of these classes alone, and what it gets is none.
                more["callback_on_step_end_tensor_inputs"] = on_step_end.tensor_inputs
        if (callback := call.get("callback")) is not None:
            more["callback"] = self._callback(callback)
        return {**call, **more}

    def restart(self) -> None:
        """Before another attempt at the same call."""
        self._given.clear()
        self.changed_latents = False

    def _on_step_end(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        def on_step_end(pipe: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> Any:
            if any(value is pipe for value in tensors.values()):
                raise UnguardedUse(
                    "a callback is handed the guarded pipeline, and not the bare one"
                )
            # What the pipeline goes on with, whatever the callback takes out of the dictionary.
            own = dict(tensors)
            for name, tensor in own.items():
                if name != _FREE and isinstance(tensor, torch.Tensor):
                    # A copy: a callback may write into the tensor that it is given.
                    self._given.setdefault(name, tensor.detach().clone())
            latents, before = own.get(_FREE), _copy(own.get(_FREE))
            answer = callback(self._guarded, step, timestep, tensors)
            if not isinstance(answer, dict):
                raise InvalidInput(
                    "callback_on_step_end", "must return the dictionary that it was given"
                )
            for name, value in own.items():
                if name != _FREE:
                    self._refuse_changed(name, value, answer.get(name, value))
            for name in answer.keys() - own.keys() - {_FREE}:
                raise InvalidInput(
                    "callback_on_step_end",
                    f"it hands back {name}, which it was not given: name it in "
                    f"callback_on_step_end_tensor_inputs",
                )
            after = answer.get(_FREE, latents)
            self.changed_latents |= after is not latents or not _equal(latents, before)
            return answer

        return on_step_end

    def _refuse_changed(self, name: str, own: Any, answer: Any) -> None:
        given = self._given.get(name)
        if given is None:
            kept = answer is own
        else:
            kept = _last_rows_of(own, given) and (
                answer is None or answer is own or _last_rows_of(answer, given)
            )
        if not kept:
            raise InvalidInput(
                "callback_on_step_end",
                f"it changed {name}, which nobody has checked: pass other text in a call of its own",
            )

    def _callback(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """The older kind, which is handed latents alone and may write into them."""

        def on_step(step: int, timestep: Any, latents: Any) -> Any:
            before = _copy(latents)
            answer = callback(step, timestep, latents)
            self.changed_latents |= not _equal(latents, before)
            return answer

        return on_step


def _copy(tensor: Any) -> Any:
    """To be compared with: PyTorch's own count of changes misses those through NumPy or `.data`."""
    return tensor.detach().clone() if isinstance(tensor, torch.Tensor) else tensor


def _equal(tensor: Any, before: Any) -> bool:
    if isinstance(tensor, torch.Tensor) and isinstance(before, torch.Tensor):
        return tensor.shape == before.shape and torch.equal(tensor, before)
    return tensor is before


def _last_rows_of(tensor: Any, given: torch.Tensor) -> bool:
    """Whether `tensor` is `given`, or its last rows: negative prompts come first where they are joined."""
    if not isinstance(tensor, torch.Tensor) or tensor.ndim != given.ndim:
        return False
    if not 0 < len(tensor) <= len(given) or tensor.shape[1:] != given.shape[1:]:
        return False
    return torch.equal(tensor.to(given), given[len(given) - len(tensor) :])
