"""Which threads of the server may compute on several cores."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# In a process of its own: how many threads PyTorch may use is a setting of the whole process.
_SCRIPT = """
import os, threading, torch
from inkguard_server.engines.openmp import without_thread_pool, single_threaded_here

def count():
    return len(os.listdir("/proc/self/task"))

def compute():
    square = torch.randn(1500, 1500)
    torch.exp(square @ square)

torch.set_num_threads(4)
with without_thread_pool():
    before = count()
    compute()
    loaded = count() - before
steps = [threading.Event() for _ in range(3)]
grown = {}

def check():
    single_threaded_here()
    steps[0].set()
    steps[1].wait()
    before = count()
    compute()
    grown["check"] = count() - before
    steps[2].set()

def draw():
    steps[0].wait()
    torch.set_num_threads(4)
    before = count()
    compute()
    grown["draw"] = count() - before
    steps[1].set()
    steps[2].wait()

threads = [threading.Thread(target=f) for f in (check, draw)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(loaded, grown["draw"], grown["check"], torch.get_num_threads())
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads in /proc")
def test_only_the_thread_that_draws_has_helpers() -> None:
    """Loading and checking start no thread of OpenMP or MKL; the thread that draws starts three."""
    run = [sys.executable, "-c", _SCRIPT]
    answer = subprocess.run(run, capture_output=True, text=True, check=True, timeout=120)
    assert answer.stdout.split() == ["0", "3", "0", "4"], answer.stderr
