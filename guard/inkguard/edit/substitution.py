"""What substitution has in common in all families: a `with` block, steps, rows, and sites that must fire."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

import torch
from torch import nn

from inkguard.edit.diffusers_internals import hook_names, is_fused, plain, set_compiled_aside
from inkguard.edit.lease import lock_of
from inkguard.edit.rows import FlaggedPrompt, RowMatch, match_rows, merge_alike
from inkguard.errors import SubstitutionError

__all__ = ["Substitution", "refuse_hooked"]

_HARMLESS_HOOKS = frozenset({"group_offloading", "layerwise_casting", "peft_autocast_disable"})
"""Diffusers hooks that move or cast weights; every other one (caches, layer skips) is refused."""

_edited: WeakSet[nn.Module] = WeakSet()
"""The denoisers in which an edit is going on; looked at and changed under their locks."""


class Substitution:
    """A `with` block in which flagged rows read their donor's text at the given sites.

    `sites` are numbers in the order in which `denoiser` runs its sites. The first `start_step`
    denoising steps run unedited (a step is a new value of `timestep`). `unconditional` are the
    negative prompts' embeddings (N, T, D), which must differ from every flagged prompt's. `pictures` is
    how many rows each prompt has in a batch; with None, one or more.

    Entering raises SubstitutionError, with the model untouched, where an edit could not be trusted.
    Within, a denoiser call raises it when a site did not fire exactly once, when rows of some
    flagged prompts are in the batch and those of others are not, or when a step ended
    without them; what of the denoiser was compiled runs uncompiled. Leaving restores
    the model, also after an exception.

    The block belongs to the thread that entered it. A denoiser holds one edit at a time: other
    threads wait for the end of it, those that enter an edit of their own and those that merely
    call the denoiser (one that was inside of it before goes on unedited).
    """

    denoisers: tuple[type[nn.Module], ...]
    """The classes of denoisers that it can edit."""

    def __init__(
        self,
        denoiser: nn.Module,
        sites: Sequence[int],
        flagged: Sequence[FlaggedPrompt],
        *,
        unconditional: torch.Tensor | None = None,
        start_step: int = 0,
        pictures: int | None = None,
    ) -> None:
        if not flagged or not sites:
            raise SubstitutionError("nothing to substitute: no flagged prompt or no site was given")
        self._given, self._denoiser = denoiser, plain(denoiser)
        self._sites = frozenset(sites)
        merged = merge_alike(flagged)
        self._flagged = tuple(prompt for prompt, _ in merged)
        if unconditional is not None and self._find(unconditional) is not None:
            raise SubstitutionError(
                "a flagged prompt has the same text embeddings as a negative prompt"
            )
        self._rows = tuple(count * pictures if pictures else None for _, count in merged)
        self._start_step = start_step
        self._undo = ExitStack()
        self._encoding: Callable[[], AbstractContextManager[object]] = nullcontext
        self._encoded = ExitStack()
        self._owner: int | None = None
        self._step = -1
        self._step_time: float | None = None
        self._step_matched = True
        self._found: RowMatch | None = None
        self._expected: frozenset[int] = self._sites
        self._fired: list[int] = []

    @property
    def flagged(self) -> tuple[FlaggedPrompt, ...]:
        """The prompts whose rows are edited; those that read alike are one."""
        return self._flagged

    @property
    def start_step(self) -> int:
        """How many denoising steps run unedited."""
        return self._start_step

    @property
    def match(self) -> RowMatch | None:
        """The flagged rows of the running denoiser call; None where nothing is to be edited in it.

        None as well in any other thread than the edit's own: a call that was going on there when
        the edit began is not part of it.
        """
        return self._found if threading.get_ident() == self._owner else None

    def while_encoding(self, context: Callable[[], AbstractContextManager[object]]) -> None:
        """Enter `context()` with the block, and leave it at the first denoiser call."""
        self._encoding = context

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.enter_context(lock_of(self._denoiser))
            if self._denoiser in _edited:
                raise SubstitutionError("this denoiser is being edited already: one edit at a time")
            self._refuse()
            _edited.add(self._denoiser)
            undo.callback(_edited.discard, self._denoiser)
            self._owner = threading.get_ident()
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
        self._owner = None
        self._forget()
        if kind is None:
            self._close_step()
            if self._step < self._start_step:
                raise SubstitutionError(
                    "the denoiser never reached the step at which the sites start"
                )

    @classmethod
    def sites_of(cls, denoiser: Any) -> list[tuple[str, Any]]:
        """Name and module of every site: the attention in which picture tokens read text, in running order."""
        raise NotImplementedError

    @classmethod
    def refuse_unsupported(cls, denoiser: nn.Module, sites: Sequence[int]) -> None:
        """Raise SubstitutionError where an edit of `denoiser` at `sites` could be skipped or go wrong."""
        if not isinstance(denoiser, cls.denoisers):
            known = " or ".join(kind.__name__ for kind in cls.denoisers)
            raise SubstitutionError(f"{type(denoiser).__name__} is not a plain {known} (wrapped?)")
        count = len(cls.sites_of(denoiser))
        if missing := sorted(s for s in sites if not 0 <= s < count):
            raise SubstitutionError(
                f"sites {missing} do not exist: the model has sites 0 to {count - 1}"
            )
        refuse_hooked(denoiser)
        for name, attn in cls._passed_through(denoiser, sites):
            cls._refuse_site(name, attn)

    @classmethod
    def _passed_through(cls, denoiser: nn.Module, sites: Sequence[int]) -> list[tuple[str, Any]]:
        """Name and module of each attention in which an edit at `sites` has something to do."""
        known = cls.sites_of(denoiser)
        return [known[number] for number in sites]

    @classmethod
    def _refuse_site(cls, name: str, attn: Any) -> None:
        """Raise SubstitutionError for an attention module that cannot be edited."""
        if is_fused(attn):
            raise SubstitutionError(f"{name} has fused projections: unfuse_qkv_projections()")

    def _refuse(self) -> None:
        self.refuse_unsupported(self._denoiser, sorted(self._sites))

    def _install(self, undo: ExitStack) -> None:
        """Put every hook on the model, each with its removal on `undo`."""
        raise NotImplementedError

    def _forget(self) -> None:
        """Hold no tensor of a finished call."""
        self._found = None

    def _time(self, timestep: Any) -> float:
        return float(torch.as_tensor(timestep).flatten()[0])

    def _find(self, text: torch.Tensor) -> RowMatch | None:
        return match_rows(text, self._flagged)

    def _is_foreign(self) -> bool:
        """Whether a denoiser call comes from another thread; by then the edit is over.

        Such a call waits for the edit's end. Its hooks at the sites are gone by then, and where
        another edit has begun since, they pass over a thread that is not theirs.
        """
        if threading.get_ident() == self._owner:
            return False
        with lock_of(self._denoiser):
            return True

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
        if match is not None:
            self._refuse_partial(match)
            self._step_matched = True
        self._found = match if self._step >= self._start_step else None
        self._fired = []
        self._expected = self._sites - set(skipped)
        return self._found

    def _refuse_partial(self, match: RowMatch) -> None:
        """Raise SubstitutionError unless each flagged prompt has the rows that it should have."""
        for number, expected in enumerate(self._rows):
            found = match.prompts.count(number)
            if found != expected if expected else not found:
                raise SubstitutionError(
                    f"{found} rows of a denoising step carried a flagged prompt that should have "
                    f"{expected or 'some'}: were its text embeddings changed on the way?"
                )

    def _end_call(self, _module: nn.Module, _args: Any, _output: Any) -> None:
        """A forward hook on the denoiser."""
        if threading.get_ident() != self._owner:
            return
        if self._found is not None and sorted(self._fired) != sorted(self._expected):
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
        foreign = [hook for hook in hook_names(module) if hook not in _HARMLESS_HOOKS]
        if foreign:
            raise SubstitutionError(
                f"{name or 'the denoiser'} has the hook {foreign[0]!r}, which may skip sites: remove it"
            )
