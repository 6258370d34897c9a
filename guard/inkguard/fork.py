"""What a process must look at after `os.fork`: gunicorn's preload and Celery load, then fork.

In the child only the thread that forked goes on. A lock that another thread held stays locked there for
ever, and GNU OpenMP, which PyTorch computes with, waits for helpers that are gone. Nothing here registers
a handler with the process: each use looks at the process id.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Generic, Self, TypeVar, overload

__all__ = ["ForkSafeLock", "computing", "in_forked_child", "lazy", "mkl_threads"]

_T = TypeVar("_T")
_first: int | None = None
"""The process in which torch first computed for us."""


class ForkSafeLock:
    """A lock for `with` that is free in a forked child, whoever held it in the parent.

    The thread that holds a `reentrant` one may take it again.
    A `with` block that was entered before the fork ends in the child without effect.
    """

    def __init__(self, *, reentrant: bool = False) -> None:
        self._make: Callable[[], Any] = threading.RLock if reentrant else threading.Lock
        self._locks = {os.getpid(): self._make()}  # by process id; a child adds its own
        self._inside: set[int] = set()  # the processes that are in a block
        self._entered = threading.local()

    def __enter__(self) -> Self:
        process = os.getpid()
        # One step for the interpreter: of two threads, the second gets the first one's lock.
        lock = self._locks.setdefault(process, self._make())
        lock.acquire()
        self._inside.add(process)
        self._held().append(lock)
        return self

    def enter_if_free(self) -> bool:
        """Enter as `with` does, but at once or not at all; `__exit__` leaves it again."""
        process = os.getpid()
        lock = self._locks.setdefault(process, self._make())
        if not lock.acquire(blocking=False):
            return False
        self._inside.add(process)
        self._held().append(lock)
        return True

    def __exit__(self, *_: object) -> None:
        process, held = os.getpid(), self._held()
        lock = held.pop()
        if process in self._locks and self._locks[process] is lock:
            if lock not in held:
                self._inside.discard(process)
            lock.release()

    def left_held(self) -> bool:
        """Whether this is a child, and the parent was in a `with` block when it forked.

        What the lock guards may then be half changed, and nobody will finish it.
        """
        return not self._inside <= {os.getpid()}

    def _held(self) -> list[Any]:
        """The locks of the blocks that this thread is in, the innermost last."""
        if not hasattr(self._entered, "locks"):
            self._entered.locks = []
        held: list[Any] = self._entered.locks
        return held


def in_forked_child() -> bool:
    """Whether torch has computed for inkguard in a process that this one was forked from."""
    return _first not in (None, os.getpid())


@contextmanager
def computing() -> Iterator[None]:
    """Put around all that torch computes: in a forked child it computes without OpenMP's helpers.

    The first block in a process marks it: `in_forked_child` is then true in its children. Only the calling
    thread is held to one thread, and only inside of the block; in a process that was not forked nothing
    changes.
    """
    global _first  # noqa: PLW0603 - it is a fact about the process
    if _first is None:
        _first = os.getpid()
    if not in_forked_child():
        yield
        return
    import torch

    # MKL's own number too: the one that older versions of torch set is the process's, and another thread may
    # set it back meanwhile.
    threads, mkl = torch.get_num_threads(), mkl_threads(1)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        mkl_threads(mkl)


def mkl_threads(number: int) -> int:
    """Let the calling thread use `number` of MKL's threads, 0 for the process's; returns what it was."""
    call = _mkl_call()
    return 0 if call is None else int(call(number))


@cache
def _mkl_call() -> Any:
    """MKL's own function in torch's library; None where torch comes without MKL (elsewhere than on x86)."""
    import torch

    try:
        library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
        call = library.MKL_Set_Num_Threads_Local
    except (OSError, AttributeError):
        return None
    return call


class lazy(Generic[_T]):  # noqa: N801 - it is used like `property`
    """`functools.cached_property` without the lock that it has in Python 3.11, shared by all objects.

    A thread of the parent may hold that one at the fork. Two threads at once compute the value twice.
    """

    def __init__(self, compute: Callable[[Any], _T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> _T: ...

    def __get__(self, instance: object, owner: type) -> _T | Self:
        if instance is None:
            return self
        # No __set__: from now on the attribute is found in the object itself.
        value = instance.__dict__[self._name] = self._compute(instance)
        return value
