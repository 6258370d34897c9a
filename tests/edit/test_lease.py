"""Locks belong to what is edited, and to nobody who edits it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from inkguard.edit.lease import exclusive, lock_of
from inkguard.errors import SubstitutionError


def in_another_thread(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def free(part: Any) -> bool:
    """Whether another thread gets the lock of `part` while this one looks on."""
    got = threading.Event()

    def take() -> None:
        with lock_of(part):
            got.set()

    in_another_thread(take)
    return got.wait(0.2)


def test_one_part_has_one_lock() -> None:
    """However often it is asked for, compiled or not."""
    part = nn.Linear(2, 2)
    assert lock_of(part) is lock_of(part)
    assert lock_of(torch.compile(part)) is lock_of(part)
    assert lock_of(part) is not lock_of(nn.Linear(2, 2))


def test_what_is_held_is_held_against_other_threads_alone() -> None:
    """All parts are taken and all are given back, also by an exception; names and numbers are passed over."""
    parts = [nn.Linear(2, 2), nn.Linear(2, 2)]
    with exclusive([*parts, None, "a name", 3, (1, 2), {}]):
        assert not any(map(free, parts))
        with lock_of(parts[0]):
            pass
    assert all(map(free, parts))

    def fail() -> None:
        with exclusive(parts):
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fail()
    assert all(map(free, parts))


def test_taken_in_any_order_two_threads_never_wait_for_each_other() -> None:
    """Locks have one order of their own."""
    parts = [nn.Linear(2, 2) for _ in range(4)]
    done: list[int] = []

    def work(order: list[nn.Linear]) -> None:
        for _ in range(300):
            with exclusive(order):
                pass
        done.append(1)

    threads = [in_another_thread(lambda o=o: work(o)) for o in (parts, parts[::-1], parts[2:])]
    for thread in threads:
        thread.join(60)
    assert len(done) == 3


def test_a_thread_that_draws_cannot_draw_again_with_a_shared_part() -> None:
    """As a callback would; afterwards it can."""
    shared, other = nn.Linear(2, 2), nn.Linear(2, 2)
    with exclusive([shared]):
        with (
            pytest.raises(SubstitutionError, match="drawing in this very thread"),
            exclusive([other, shared]),
        ):
            pass
        with exclusive([other]):
            pass
    with exclusive([shared, other]):
        pass


def test_what_a_thread_holds_it_may_take_again_where_it_says_so() -> None:
    """And goes on holding it until the outermost block ends."""
    shared = nn.Linear(2, 2)
    with exclusive([shared], again=True):
        with exclusive([shared], again=True):
            pass
        assert not free(shared)
        with pytest.raises(SubstitutionError), exclusive([shared]):
            pass
    assert free(shared)


@pytest.mark.parametrize("drawing", [False, True])
def test_a_forked_child_does_not_wait_for_its_parents_threads(drawing: bool) -> None:
    """It draws; or it says that its parent was drawing, and what to do. It never hangs."""
    part = nn.Linear(2, 2)
    held, go = threading.Event(), threading.Event()

    def hold() -> None:
        with exclusive([part]):
            held.set()
            if drawing:
                go.wait(60)

    thread = in_another_thread(hold)
    assert held.wait(60)
    if not drawing:
        thread.join(60)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            with exclusive([part]):
                os.write(write, b"drawn")
        except SubstitutionError as error:
            os.write(write, str(error).encode())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    go.set()
    thread.join(60)
    said = os.read(read, 1000).decode()
    os.close(read)
    os.close(write)
    assert ("load the pipeline in this process" in said) if drawing else (said == "drawn")


def test_a_thread_that_draws_does_not_wait_for_another_that_does() -> None:
    """Each would wait for what the other holds: the second one is refused, and both go on."""
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    reached, said = threading.Barrier(2), []

    def draw(own: nn.Module, others: nn.Module) -> None:
        with exclusive([own]):
            reached.wait(60)
            try:
                with exclusive([others], again=True):
                    pass
            except SubstitutionError as error:
                said.append(str(error))
            reached.wait(60)

    threads = [in_another_thread(lambda p=p: draw(*p)) for p in ((first, second), (second, first))]
    for thread in threads:
        thread.join(60)
    assert len(said) == 2
    assert all("a callback cannot wait" in s for s in said)
    assert free(first)
    assert free(second)
