"""Which thread may compute on several cores: the one that draws, and no other.

GNU OpenMP, which PyTorch computes with, keeps a team of helpers for every thread that calls it. Once the
teams together are larger than the machine, no team spins at its barriers any more: each sleeps and
is woken for every operation, and a picture takes 1.5 to 2 times as long (docs/results/summary.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from inkguard.fork import mkl_threads

__all__ = ["single_threaded_here", "without_thread_pool"]


def single_threaded_here() -> None:
    """Let the calling thread compute without helpers, from now on."""
    torch.get_num_threads()  # A thread's first use sets its number to the process's: have that behind us.
    torch.set_num_threads(1)
    mkl_threads(1)  # older versions of PyTorch set MKL's number for the whole process only


@contextmanager
def without_thread_pool() -> Iterator[None]:
    """Let the calling thread compute without helpers in a `with` block, so that it leaves no team behind."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
