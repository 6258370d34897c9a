"""One drawing at a time for whatever a drawing edits or sets.

Edits, stand-ins and the state of a scheduler live on modules that several pipelines may share: the
denoiser of `from_pipe`, the text encoder of a base and its refiner. So a lock belongs to each such
part and not to whoever draws with it: two guards over one denoiser wait for each other, wherever
they were made.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from inkguard.edit.diffusers_internals import plain
from inkguard.errors import SubstitutionError
from inkguard.fork import ForkSafeLock

__all__ = ["exclusive", "lock_of"]


class _Lock:
    """A lock with its place in the one order in which all threads take locks."""

    def __init__(self, order: int) -> None:
        self.order = order
        self.lock = ForkSafeLock(reentrant=True)


class _Locks:
    """A lock for every part that was ever asked for; it goes with the part."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[Any, _Lock] = WeakKeyDictionary()
        self._orders = itertools.count()
        self._making = ForkSafeLock()

    def of(self, part: Any) -> _Lock:
        with self._making:
            found = self._of.get(part)
            if found is None:
                found = self._of[part] = _Lock(next(self._orders))
            return found


_locks = _Locks()
_held = threading.local()


def lock_of(part: Any) -> ForkSafeLock:
    """The lock of one part; a compiled module has that of the module that it was made of."""
    return _locks.of(plain(part)).lock


@contextmanager
def exclusive(parts: Iterable[Any], *, again: bool = False) -> Iterator[None]:
    """Hold the locks of all `parts` in a `with` block; what can have none is passed over.

    Raises SubstitutionError where this thread draws with one of them already, as a callback would that draws
    with the pipeline that calls it; with `again` it goes on. Raises it as well where a thread that
    holds others would have to wait for one, since its holder may wait for those; and in a forked
    process whose parent was drawing with one of them, since that may be edited half-way.
    """
    locks = {lock.order: lock for part in parts if (lock := _lockable(part)) is not None}
    mine: set[tuple[int, int]] = _held.__dict__.setdefault("orders", set())
    wanted = {(os.getpid(), order) for order in locks}
    if mine & wanted and not again:
        raise SubstitutionError(
            "this pipeline, or a part that it shares, is drawing in this very thread: a callback "
            "cannot draw with it or exchange its denoiser; do that before or after the call"
        )
    if any(lock.lock.left_held() for lock in locks.values()):
        raise SubstitutionError(
            "this process was forked while another thread drew with this pipeline, so the model may be "
            "half edited: load the pipeline in this process"
        )
    with ExitStack() as undo:
        for _, lock in sorted(locks.items()):
            if not mine:
                undo.enter_context(lock.lock)
            elif lock.lock.enter_if_free():
                undo.push(lock.lock)
            else:
                # It holds others, and whoever holds this one may wait for those.
                raise SubstitutionError(
                    "another thread is drawing with a part of this pipeline, and a callback cannot wait "
                    "for it: do that before or after the call"
                )
        new = wanted - mine
        mine |= new
        undo.callback(mine.difference_update, new)
        yield


def _lockable(part: Any) -> _Lock | None:
    """The lock of a part; None for names, numbers and other things that no weak reference can be had of."""
    if part is None or isinstance(part, str | bool | int | float | tuple | list | dict):
        return None
    try:
        return _locks.of(plain(part))
    except TypeError:
        return None
