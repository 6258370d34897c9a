"""A process that has loaded and used the guard forks: the child answers, and nothing waits for ever.

Each test forks in a process of its own, where an alarm ends whatever hangs.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

_BEGIN = """
import os, signal, threading, traceback

signal.alarm(250)

def in_child(do):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            do()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status == 0, f"the child ended with {status}"

def held_elsewhere(*locks):
    # A thread that holds all of them until the process ends.
    ready = threading.Event()
    def hold():
        for lock in locks:
            lock.__enter__()
        ready.set()
        threading.Event().wait()
    threading.Thread(target=hold, daemon=True).start()
    ready.wait()
"""


def run(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _BEGIN + script],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
        env={
            k: v for k, v in os.environ.items() if k not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
        },
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"


def test_a_checker_answers_in_forked_children_as_in_their_parent() -> None:
    """Again and again, in their children too, and with as many threads set as before."""
    run("""
import tempfile, torch
from inkguard.check.checker import load_checker
checker, path = load_checker(None), tempfile.mkstemp()[1]

def with_threads(number):
    torch.set_num_threads(number)
    checker.check_many([f'a sign "you are a horrible person {number} {n}"' for n in range(5)])
    new = [f'a sign that says "what an awful person {number} {n}"' for n in range(5)]

    def check():
        decisions = [str(d.to_json()) for d in checker.check_many(new)]
        assert torch.get_num_threads() == number
        return decisions

    for _ in range(4):
        in_child(check)
    in_child(lambda: (check(), in_child(check)))
    in_child(lambda: print(*check(), sep="\\n", file=open(path, "w")))
    assert open(path).read().splitlines() == check()

with_threads(2)
with_threads(4)
os.remove(path)
""")


def test_locks_that_other_threads_held_at_the_fork_are_free_in_the_child() -> None:
    """The scores' cache, the classifier's and the picture reader's: the child checks and reads."""
    run("""
from PIL import Image
from inkguard.check.checker import load_checker
from inkguard.verify import default_reader
checker, reader = load_checker(None), default_reader()
cached = checker._scorer
held_elsewhere(cached._lock, cached._scorer._lock, reader._lock)

def work():
    decision = checker.check('a sign that says "you are a horrible person"')
    assert decision.reason == "clean", decision
    reader.read(Image.new("RGB", (64, 64)))

in_child(work)
""")


def test_children_of_a_busy_parent_answer() -> None:
    """Two threads check without a pause while their process forks."""
    run("""
import torch
torch.set_num_threads(2)
from inkguard.check.checker import load_checker
checker = load_checker(None)
done = False

def work(name):
    number = 0
    while not done:
        number += 1
        checker.check(f'a sign that says "you are a horrible person {name} {number}"')

workers = [threading.Thread(target=work, args=(n,)) for n in range(2)]
for worker in workers:
    worker.start()

def check():
    decision = checker.check('a sign that says "what an awful person"')
    assert decision.reason == "clean", decision

try:
    for _ in range(8):
        in_child(check)
finally:
    done = True
""")


def test_the_lock_keeps_threads_of_one_process_apart() -> None:
    """In the parent and in a forked child: one at a time; its holder may take a reentrant one again."""
    run("""
from inkguard.fork import ForkSafeLock

def apart():
    inside, most = 0, 0
    def work():
        nonlocal inside, most
        for _ in range(200):
            with lock:
                inside += 1
                most = max(most, inside)
                threading.Event().wait(0.00001)
                inside -= 1
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1, most

lock = ForkSafeLock()
apart()
in_child(apart)
again = ForkSafeLock(reentrant=True)
with again, again:
    in_child(lambda: again.__enter__())
""")


def test_a_child_is_told_that_its_parent_was_within_a_block() -> None:
    """What the lock guards may be half changed then; the parent itself and other children are not told."""
    run("""
from inkguard.fork import ForkSafeLock

def told():
    assert lock.left_held()
    with lock:
        assert lock.left_held()

def not_told():
    with lock:
        assert not lock.left_held()
    assert not lock.left_held()

for reentrant in (False, True):
    lock = ForkSafeLock(reentrant=reentrant)
    in_child(not_told)
    not_told()
    held_elsewhere(lock)
    assert not lock.left_held()
    in_child(told)
    in_child(lambda: in_child(told))
""")


def test_a_block_that_was_entered_before_the_fork_ends_quietly_in_the_child() -> None:
    """The child may take the lock anew inside of it, and has it free afterwards."""
    run("""
from inkguard.fork import ForkSafeLock
lock = ForkSafeLock()
with lock:
    child = os.fork()
    if child == 0:
        with lock:
            pass
if child == 0:
    with lock:
        os._exit(0)
assert os.waitpid(child, 0)[1] == 0
with lock:
    pass
""")


def test_a_forked_child_computes_alone_where_its_parent_has_computed_and_only_there() -> None:
    """A parent that merely imported the guard leaves its children all of their threads."""
    run("""
import torch
from inkguard.fork import computing, in_forked_child, mkl_threads
torch.set_num_threads(3)

def block():
    with computing():
        return torch.get_num_threads()

def first():
    assert (block(), in_forked_child()) == (3, False)

def forked():
    before = mkl_threads(2)
    mkl_threads(before)
    assert in_forked_child()
    assert block() == 1
    with computing(), computing():
        pass
    assert torch.get_num_threads() == 3
    assert mkl_threads(before) == before
    try:
        with computing():
            raise KeyError
    except KeyError:
        assert torch.get_num_threads() == 3

in_child(first)
assert not in_forked_child()
first()
in_child(forked)
in_child(lambda: in_child(forked))
first()
""")


def test_a_lazy_attribute_is_computed_once_for_each_object() -> None:
    """And is one of the object's own from then on."""
    from inkguard.fork import lazy

    class Thing:
        def __init__(self) -> None:
            self.times = 0

        @lazy
        def value(self) -> int:
            """What it is."""
            self.times += 1
            return self.times

    one, other = Thing(), Thing()
    assert (one.value, one.value, one.times) == (1, 1, 1)
    assert (other.value, other.times) == (1, 1)
    assert Thing.value.__doc__ == "What it is."


@pytest.mark.parametrize(
    "file", sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "guard").rglob("*.py"))
)
def test_no_module_has_a_lock_that_a_fork_would_leave_shut(file: str) -> None:
    """Locks are `ForkSafeLock`s; `cached_property` has one in Python 3.11, so `lazy` stands for it."""
    if file == "guard/inkguard/fork.py":
        return
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    used = {
        f"{n.value.id}.{n.attr}"
        for n in ast.walk(tree)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
    }
    used |= {
        f"{n.module}.{alias.name}"
        for n in ast.walk(tree)
        if isinstance(n, ast.ImportFrom)
        for alias in n.names
    }
    shut = ("Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore")
    assert not used & {"functools.cached_property", *(f"threading.{name}" for name in shut)}
