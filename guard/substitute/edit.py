"""What substitution has in common in all families: a `with` block, steps, rows, and sites that must fire."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import TracebackType
from typing import Any, Self

import torch
from torch import nn

from guard.errors import SubstitutionError
from guard.substitute.compiled import plain, set_compiled_aside
from guard.substitute.rows import FlaggedPrompt, RowMatch, match_rows, refuse_ambiguous

__all__ = ["Substitution", "refuse_hooked"]

_HARMLESS_HOOKS = frozenset({"group_offloading", "layerwise_casting", "peft_autocast_disable"})
"""Diffusers hooks that move or cast weights; every other one (caches, layer skips) is refused."""


class Substitution:
    """A `with` block in which flagged rows read their donor's text at the given sites.

    `sites` are numbers in the order in which `denoiser` runs its sites. The first `start_step`
    denoising steps run unedited (a step is a new value of `timestep`). `unconditional` are the
    negative prompts' embeddings (N, T, D), which must differ from every flagged prompt's.

    Entering raises SubstitutionError, with the model untouched, where an edit could not be trusted.
    Within, a denoiser call raises it when a site did not fire exactly once, or when a step ended
    without any flagged row in it; what of the denoiser was compiled runs uncompiled. Leaving restores
    the model, also after an exception. Not thread-safe.
    """

    def __init__(
        self,
        denoiser: nn.Module,
        sites: Sequence[int],
        flagged: Sequence[FlaggedPrompt],
        *,
        unconditional: torch.Tensor | None = None,
        start_step: int = 0,
    ) -> None:
        if not flagged or not sites:
            raise SubstitutionError("nothing to substitute: no flagged prompt or no site was given")
        refuse_ambiguous(flagged, unconditional)
        self._given, self._denoiser = denoiser, plain(denoiser)
        self._sites = frozenset(sites)
        self._flagged = tuple(flagged)
        self._start_step = start_step
        self._undo = ExitStack()
        self._encoding: Callable[[], AbstractContextManager[object]] = nullcontext
        self._encoded = ExitStack()
        self._step = -1
        self._step_time: float | None = None
        self._step_matched = True
        self._match: RowMatch | None = None
        self._expected: frozenset[int] = self._sites
        self._fired: list[int] = []

    @property
    def flagged(self) -> tuple[FlaggedPrompt, ...]:
        """The prompts whose rows are edited."""
        return self._flagged

    @property
    def start_step(self) -> int:
        """How many denoising steps run unedited."""
        return self._start_step

    def while_encoding(self, context: Callable[[], AbstractContextManager[object]]) -> None:
        """Enter `context()` with the block, and leave it at the first denoiser call."""
        self._encoding = context

    def __enter__(self) -> Self:
        self._refuse_unsupported()
        with ExitStack() as undo:
            set_compiled_aside(self._given, undo)
            self._install(undo)
            self._encoded.enter_context(self._encoding())
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._encoded.close()
        self._undo.close()
        self._forget()
        if kind is None:
            self._close_step()
            if self._step < self._start_step:
                raise SubstitutionError(
                    "the denoiser never reached the step at which the sites start"
                )

    def _refuse_unsupported(self) -> None:
        """Raise SubstitutionError where an edit of the denoiser could be skipped."""
        raise NotImplementedError

    def _install(self, undo: ExitStack) -> None:
        """Put every hook on the model, each with its removal on `undo`."""
        raise NotImplementedError

    def _forget(self) -> None:
        """Hold no tensor of a finished call."""
        self._match = None

    def _time(self, timestep: Any) -> float:
        return float(torch.as_tensor(timestep).flatten()[0])

    def _find(self, text: torch.Tensor) -> RowMatch | None:
        return match_rows(text, self._flagged)

    def _begin_call(
        self, text: torch.Tensor, timestep: Any, skipped: Collection[int] = ()
    ) -> RowMatch | None:
        """Note a denoiser call; returns its flagged rows, None where nothing is to be edited in it."""
        self._encoded.close()
        time = self._time(timestep)
        if time != self._step_time:
            self._close_step()
            self._step, self._step_time, self._step_matched = self._step + 1, time, False
        match = self._find(text)
        self._step_matched |= match is not None
        self._match = match if self._step >= self._start_step else None
        self._fired = []
        self._expected = self._sites - set(skipped)
        return self._match

    def _end_call(self, _module: nn.Module, _args: Any, _output: Any) -> None:
        """A forward hook on the denoiser."""
        if self._match is not None and sorted(self._fired) != sorted(self._expected):
            raise SubstitutionError(
                f"sites {sorted(self._expected)} should each have fired once, but {self._fired} did"
            )
        self._forget()

    def _close_step(self) -> None:
        if not self._step_matched:
            raise SubstitutionError(
                "no row of a denoising step carried the flagged prompt's text embeddings"
            )


def refuse_hooked(denoiser: nn.Module) -> None:
    """Raise SubstitutionError for hooks that may skip modules."""
    for name, module in denoiser.named_modules():
        registry = vars(module).get("_diffusers_hook")
        foreign = sorted(set(getattr(registry, "hooks", ())) - _HARMLESS_HOOKS)
        if foreign:
            raise SubstitutionError(
                f"{name or 'the denoiser'} has the hook {foreign[0]!r}, which may skip sites: remove it"
            )
