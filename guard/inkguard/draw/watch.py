"""Follow a pipeline call from outside: steps, stages, and stopping it between two steps.

Every diffusers pipeline opens `self.progress_bar(total=steps)` around its denoising loop and calls
`update()` at the end of each step. Standing in for that one method needs no hook on the model, and
works where a pipeline has no `callback_on_step_end` (IF, PixArt). An exception from `on_step` leaves
the loop at once: unlike `pipe._interrupt`, nothing is decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from inkguard.timing import Stages

__all__ = ["OnStep", "Watch"]

OnStep = Callable[[int, int], None]
"""Called with (steps done, steps in all) after every denoising step; may raise to stop."""


class Watch:
    """A `with` block around one pipeline call. `stages` gets "encode", "denoise" and "decode"."""

    def __init__(self, pipe: Any, stages: Stages, on_step: OnStep | None) -> None:
        self._pipe, self._stages, self._on_step = pipe, stages, on_step
        self._original = pipe.progress_bar
        self._own = "progress_bar" in vars(pipe)
        self._since = 0.0

    def __enter__(self) -> Self:
        self._since = self._stages.now()
        self._pipe.progress_bar = self._progress_bar
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._own:
            self._pipe.progress_bar = self._original
        else:
            del self._pipe.progress_bar
        if kind is None:
            self.mark("decode")
        else:
            # What the pipeline does at its end: with offloading, weights leave the accelerator.
            self._pipe.maybe_free_model_hooks()

    def mark(self, stage: str) -> None:
        """The stage that ran since the last mark has ended."""
        now = self._stages.now()
        self._stages.add(stage, now - self._since)
        self._since = now

    def _progress_bar(self, iterable: Any = None, total: int | None = None) -> Any:
        if total is None:
            return self._original(iterable=iterable)
        self.mark("encode")
        return _Bar(self, self._original(total=total), total)

    def step(self, done: int, total: int) -> None:
        """A step is done; raises what `on_step` raises."""
        if self._on_step is not None:
            self._on_step(done, total)


class _Bar:
    """The pipeline's own bar, with every update reported."""

    def __init__(self, watch: Watch, bar: Any, total: int) -> None:
        self._watch, self._bar, self._total, self._done = watch, bar, total, 0

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.__exit__(*error)
        self._watch.mark("denoise")

    def update(self, n: int = 1) -> None:
        self._bar.update(n)
        self._done += n
        self._watch.step(self._done, self._total)
