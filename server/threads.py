"""Which thread may compute on several cores: the one that draws, and no other.

GNU OpenMP, which PyTorch computes with, keeps a team of helpers for every thread that calls it. Once the
teams together are larger than the machine, no team spins at its barriers any more: each sleeps and
is woken for every operation, and a picture takes 1.5 to 2 times as long (docs/RESULTS.md).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

__all__ = ["no_team", "work_alone"]


def work_alone() -> None:
    """Let the calling thread compute without helpers, from now on."""
    torch.get_num_threads()  # A thread's first use sets its number to the process's: have that behind us.
    torch.set_num_threads(1)
    # Of MKL's threads PyTorch can only set those of the whole process; elsewhere than on x86 there is none.
    with suppress(OSError, AttributeError):
        library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
        ctypes.CDLL(str(library)).MKL_Set_Num_Threads_Local(1)


@contextmanager
def no_team() -> Iterator[None]:
    """Let the calling thread compute without helpers in a `with` block, so that it leaves no team behind."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
