"""The queue in front of the thread that draws, without a model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from inkguard.errors import Cancelled
from inkguard_server.engines.draw_queue import Job, Worker
from inkguard_server.errors import QueueFull, Stopping


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(limit=2)
    yield worker
    worker.close()


async def soon(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


async def collect(job: Job[Any], run: Callable[[Job[Any]], None]) -> list[Any]:
    try:
        return [event async for event in job.events(run)]
    finally:
        job.release()


class Held:
    """Work that emits its name and ends when it is let go or cancelled."""

    def __init__(self, name: str, order: list[str]) -> None:
        self.name, self.order, self.go = name, order, threading.Event()

    def __call__(self, job: Job[str]) -> None:
        self.order.append(self.name)
        job.emit(self.name)
        while not self.go.wait(0.002):
            if job.cancelled.is_set():
                raise Cancelled("cancelled")

    def begin(self, worker: Worker) -> asyncio.Task[list[str]]:
        return asyncio.create_task(collect(worker.reserve(), self))


def test_jobs_run_one_at_a_time_in_order(worker: Worker) -> None:
    """Later ones wait until the earlier ones are through; the load follows."""

    async def body() -> None:
        order: list[str] = []
        jobs = [Held(name, order) for name in "abc"]
        tasks = [job.begin(worker) for job in jobs]
        for n, job in enumerate(jobs):
            await soon(lambda n=n: len(order) == n + 1)
            await asyncio.sleep(0.01)
            assert order == list("abc")[: n + 1]
            assert (worker.load().queued, worker.load().in_flight) == (2 - n, 1)
            job.go.set()
        assert await asyncio.gather(*tasks) == [["a"], ["b"], ["c"]]
        await soon(lambda: worker.load().in_flight == 0)

    asyncio.run(body())


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_as_many_wait_as_the_limit_says(limit: int) -> None:
    """One runs and `limit` wait; the next is refused at once, and a place that is freed is taken."""
    worker = Worker(limit)

    async def body() -> None:
        order: list[str] = []
        running = Held("a", order)
        tasks = [running.begin(worker)]
        await soon(lambda: bool(order))
        waiting = [worker.reserve() for _ in range(limit)]
        with pytest.raises(QueueFull, match=f"{limit} requests wait"):
            worker.reserve()
        for job in waiting[:1]:
            job.release()
            job.release()
            worker.reserve()
            with pytest.raises(QueueFull):
                worker.reserve()
        running.go.set()
        await asyncio.gather(*tasks)

    asyncio.run(body())
    worker.close()


def test_a_job_released_while_it_waits_is_never_run(worker: Worker) -> None:
    """Its place is free at once, and the order of the others stays."""

    async def body() -> None:
        order: list[str] = []
        jobs = [Held(name, order) for name in "abc"]
        tasks = [job.begin(worker) for job in jobs]
        await soon(lambda: order == ["a"] and worker.load().queued == 2)
        tasks[1].cancel()
        await soon(lambda: worker.load().queued == 1)
        for job in jobs:
            job.go.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == ["a", "c"]

    asyncio.run(body())


def test_a_job_released_while_it_runs_keeps_its_place_until_it_ends(worker: Worker) -> None:
    """It is told to stop; only then the next one runs."""

    async def body() -> None:
        order: list[str] = []
        let_go = threading.Event()

        def stubborn(job: Job[str]) -> None:
            job.emit("begun")
            assert job.cancelled.wait(10)
            assert let_go.wait(10)

        first = asyncio.create_task(collect(worker.reserve(), stubborn))
        await soon(lambda: worker.load().in_flight == 1)
        second = Held("b", order)
        task = second.begin(worker)
        first.cancel()
        await asyncio.sleep(0.02)
        assert (worker.load().in_flight, worker.load().queued, order) == (1, 1, [])
        let_go.set()
        await soon(lambda: order == ["b"])
        second.go.set()
        assert await task == ["b"]

    asyncio.run(body())


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt()])
def test_what_a_job_raises_reaches_its_caller_and_nobody_else(
    worker: Worker, error: BaseException
) -> None:
    """The thread goes on with the next job, whatever was raised."""

    def fail(job: Job[str]) -> None:
        job.emit("before")
        raise error

    async def body() -> list[str]:
        job: Job[str] = worker.reserve()
        events = job.events(fail)
        assert await anext(events) == "before"
        with pytest.raises(type(error)):
            await anext(events)
        job.release()
        return await serve_one(worker)

    assert asyncio.run(body()) == ["b"]


def test_closing_ends_what_runs_and_what_waits() -> None:
    """The one that runs is cancelled, the one that waits is told, a new one is refused."""
    worker = Worker(limit=2)

    async def body() -> list[Any]:
        order: list[str] = []
        tasks = [Held(name, order).begin(worker) for name in "ab"]
        late = worker.reserve()
        await soon(lambda: order == ["a"])
        await asyncio.to_thread(worker.close)
        with pytest.raises(Stopping):
            worker.reserve()
        with pytest.raises(Stopping):
            await collect(late, lambda job: None)
        assert order == ["a"]
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second = asyncio.run(body())
    assert isinstance(first, Cancelled)
    assert isinstance(second, Stopping)


def test_a_caller_whose_loop_is_gone_harms_nobody(worker: Worker) -> None:
    """Events for a closed loop are dropped, and the next caller is served."""
    held = Held("a", [])

    async def leave() -> None:
        task = held.begin(worker)
        await soon(lambda: held.order == ["a"])
        task.cancel()

    asyncio.run(leave())
    held.go.set()
    assert asyncio.run(serve_one(worker)) == ["b"]


async def serve_one(worker: Worker) -> list[str]:
    return await collect(worker.reserve(), lambda job: job.emit("b"))
