"""Where the command line's work is done: in this process, or on a sidecar."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from inkguard.extras import needs_extra
from inkguard.measure.options import Dtype
from inkguard.types import Decision, Method, Request, Result

if TYPE_CHECKING:
    from inkguard.client import Client, Tls
    from inkguard.draw.watch import OnStep

__all__ = ["Backend", "Local", "Remote"]


class Backend(Protocol):
    """Checks prompts and draws pictures."""

    def check_many(self, prompts: Sequence[str]) -> list[Decision]:
        """Decisions in the order of the prompts."""

    def generate(self, request: Request, on_step: OnStep | None = None) -> Result:
        """Draw; `on_step` is called with (steps done, steps in all)."""


class Local:
    """The process itself, which loads the classifier, and with `model` the model."""

    def __init__(
        self,
        policy: str | None,
        model: str | None,
        method: Method,
        *,
        device: str = "cpu",
        dtype: Dtype = Dtype.FLOAT32,
        unreached: bool = False,
        lists_only: bool = False,
    ) -> None:
        path = Path(policy) if policy is not None else None
        if model is None:
            from inkguard.check.checker import load_checker

            self._checker, self._guard = load_checker(path, lists_only=lists_only), None
        else:
            with needs_extra("draw", "drawing"):
                import torch

                from inkguard import Guard

            self._guard = Guard.load(
                model,
                path,
                device=device,
                dtype=getattr(torch, dtype),
                fallback=method is Method.PROMPT_SWAP,
                unreached=unreached,
            )
            self._checker = self._guard.checker

    def check_many(self, prompts: Sequence[str]) -> list[Decision]:
        """Decisions in the order of the prompts, checked as batches."""
        return self._checker.check_many(prompts)

    def generate(self, request: Request, on_step: OnStep | None = None) -> Result:
        """Draw here, under the policy; RuntimeError where no model was loaded."""
        if self._guard is None:
            raise RuntimeError("made without a model, so it checks prompts and draws none")
        return self._guard.generate(request, on_step=on_step)


class Remote:
    """A sidecar; policy and model are names that it knows."""

    def __init__(self, target: str, tls: Tls | None, policy: str | None, model: str | None) -> None:
        from inkguard.client import Client

        self._client: Client = Client(target, tls=tls)
        self._policy, self._model = policy or "", model or ""

    def check_many(self, prompts: Sequence[str]) -> list[Decision]:
        """Decisions in the order of the prompts, up to 16 of them asked for at once."""
        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(lambda p: self._client.check(p, policy=self._policy), prompts))

    def generate(self, request: Request, on_step: OnStep | None = None) -> Result:
        """Draw on the sidecar, under the policy."""
        return self._client.generate(
            request,
            model=self._model,
            policy=self._policy,
            on_progress=(lambda p: on_step(p.step, p.steps)) if on_step else None,
        )
