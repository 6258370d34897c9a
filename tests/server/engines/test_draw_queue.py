"""The queue in front of the thread that draws, without a model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from inkguard.errors import Cancelled
from inkguard_server.engines.draw_queue import DrawQueue, Job
from inkguard_server.errors import QueueFull, Stopping


@pytest.fixture
def draws() -> Iterator[DrawQueue]:
    draws = DrawQueue(limit=2)
    yield draws
    draws.close()


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
        self.order.append(f"{self.name} ends")

    def begin(self, draws: DrawQueue) -> asyncio.Task[list[str]]:
        return asyncio.create_task(collect(draws.reserve(), self))


def test_jobs_run_one_at_a_time_in_order(draws: DrawQueue) -> None:
    """Later ones wait until the earlier ones are through; the load follows."""

    async def body() -> None:
        order: list[str] = []
        jobs = [Held(name, order) for name in "abc"]
        tasks = [job.begin(draws) for job in jobs]
        for n, job in enumerate(jobs):
            await soon(lambda n=n: order[-1:] == ["abc"[n]])
            assert (draws.status().queued, draws.status().in_flight) == (2 - n, 1)
            job.go.set()
        assert await asyncio.gather(*tasks) == [["a"], ["b"], ["c"]]
        assert order == ["a", "a ends", "b", "b ends", "c", "c ends"]
        await soon(lambda: draws.status().in_flight == 0)

    asyncio.run(body())


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_as_many_wait_as_the_limit_says(limit: int) -> None:
    """One runs and `limit` wait; the next is refused at once, and a place that is freed is taken."""
    draws = DrawQueue(limit)

    async def body() -> None:
        order: list[str] = []
        running = Held("a", order)
        tasks = [running.begin(draws)]
        await soon(lambda: bool(order))
        waiting = [draws.reserve() for _ in range(limit)]
        with pytest.raises(QueueFull, match=f"{limit} requests wait"):
            draws.reserve()
        for job in waiting[:1]:
            job.release()
            job.release()
            draws.reserve()
            with pytest.raises(QueueFull):
                draws.reserve()
        running.go.set()
        await asyncio.gather(*tasks)

    asyncio.run(body())
    draws.close()


def test_a_job_released_while_it_waits_is_never_run(draws: DrawQueue) -> None:
    """Its place is free at once, and the order of the others stays."""

    async def body() -> None:
        order: list[str] = []
        jobs = [Held(name, order) for name in "abc"]
        tasks = [job.begin(draws) for job in jobs]
        await soon(lambda: order == ["a"] and draws.status().queued == 2)
        tasks[1].cancel()
        await soon(lambda: draws.status().queued == 1)
        for job in jobs:
            job.go.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == ["a", "a ends", "c", "c ends"]

    asyncio.run(body())


def test_a_job_released_while_it_runs_keeps_its_place_until_it_ends(draws: DrawQueue) -> None:
    """It is told to stop; only then the next one runs."""

    async def body() -> None:
        order: list[str] = []
        let_go = threading.Event()

        def stubborn(job: Job[str]) -> None:
            job.emit("begun")
            assert job.cancelled.wait(10)
            assert let_go.wait(10)
            order.append("the first ends")

        first = asyncio.create_task(collect(draws.reserve(), stubborn))
        await soon(lambda: draws.status().in_flight == 1)
        second = Held("b", order)
        task = second.begin(draws)
        first.cancel()
        assert (draws.status().in_flight, draws.status().queued, order) == (1, 1, [])
        let_go.set()
        second.go.set()
        assert await task == ["b"]
        assert order == ["the first ends", "b", "b ends"]

    asyncio.run(body())


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt()])
def test_what_a_job_raises_reaches_its_caller_and_nobody_else(
    draws: DrawQueue, error: BaseException
) -> None:
    """The thread goes on with the next job, whatever was raised."""

    def fail(job: Job[str]) -> None:
        job.emit("before")
        raise error

    async def body() -> list[str]:
        job: Job[str] = draws.reserve()
        events = job.events(fail)
        assert await anext(events) == "before"
        with pytest.raises(type(error)):
            await anext(events)
        job.release()
        return await serve_one(draws)

    assert asyncio.run(body()) == ["b"]


def test_closing_ends_what_runs_and_what_waits() -> None:
    """The one that runs is cancelled, the one that waits is told, a new one is refused."""
    draws = DrawQueue(limit=2)

    async def body() -> list[Any]:
        order: list[str] = []
        tasks = [Held(name, order).begin(draws) for name in "ab"]
        late = draws.reserve()
        await soon(lambda: order == ["a"])
        await asyncio.to_thread(draws.close)
        with pytest.raises(Stopping):
            draws.reserve()
        with pytest.raises(Stopping):
            await collect(late, lambda job: None)
        assert order == ["a"]
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second = asyncio.run(body())
    assert isinstance(first, Cancelled)
    assert isinstance(second, Stopping)


def test_a_caller_whose_loop_is_gone_harms_nobody(draws: DrawQueue) -> None:
    """Events for a closed loop are dropped, and the next caller is served."""
    held = Held("a", [])

    async def leave() -> None:
        task = held.begin(draws)
        await soon(lambda: held.order == ["a"])
        task.cancel()

    asyncio.run(leave())
    held.go.set()
    assert asyncio.run(serve_one(draws)) == ["b"]


async def serve_one(draws: DrawQueue) -> list[str]:
    return await collect(draws.reserve(), lambda job: job.emit("b"))
