"""One thread that owns the pipelines, with a bounded queue in front of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

from inkguard_server.engines.base import QueueStatus
from inkguard_server.errors import QueueFull, Stopping

__all__ = ["DrawQueue", "Job"]

_T = TypeVar("_T")


class _End:
    """The last event of a job; `error` is what it raised."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Job(Generic[_T]):
    """A place in the queue, and the events of the work that is done there.

    The work is called in the queue's thread; it should look at `cancelled` often, and `emit` events. `waited` is
    how many seconds it stood in the queue.
    """

    def __init__(self, queue: DrawQueue, loop: asyncio.AbstractEventLoop) -> None:
        self._queue, self._loop = queue, loop
        self._events: asyncio.Queue[_T | _End] = asyncio.Queue()
        self.cancelled = threading.Event()
        self.waited = 0.0

    async def events(self, work: Callable[[Job[_T]], None]) -> AsyncIterator[_T]:
        """Have `work` called when it is this job's turn, and yield what it emits; raise what it raises."""
        queued = time.perf_counter()

        def run() -> None:
            self.waited = time.perf_counter() - queued
            work(self)

        self._queue.enqueue(self, run)
        while not isinstance(event := await self._events.get(), _End):
            yield event
        if event.error is not None:
            raise event.error

    def emit(self, event: _T) -> None:
        """Hand an event to the event loop; called in the queue's thread."""
        self._put(event)

    def end(self, error: BaseException | None) -> None:
        """Tell the event loop that the work is over, and what it raised; called in the queue's thread."""
        self._put(_End(error))

    def release(self) -> None:
        """Give the place back; work that is going on is cancelled. May be called more than once."""
        self.cancelled.set()
        self._queue.release(self)

    def _put(self, event: _T | _End) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits for this any more
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)


class DrawQueue:
    """Runs jobs one at a time, in the order in which they were enqueued; `on_start` runs first."""

    def __init__(self, limit: int, on_start: Callable[[], None] | None = None) -> None:
        self._limit, self._on_start = limit, on_start
        self._places: set[Job[Any]] = set()
        self._waiting: deque[tuple[Job[Any], Callable[[], None]]] = deque()
        self._current: Job[Any] | None = None
        self._stopping = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._loop, name="inkguard-draw", daemon=True)
        self._thread.start()

    def reserve(self) -> Job[_T]:
        """A place in the queue for the running event loop; raises QueueFull or Stopping at once."""
        job: Job[_T] = Job(self, asyncio.get_running_loop())
        with self._wake:
            if self._stopping:
                raise Stopping("the server is shutting down")
            if len(self._places) > self._limit:
                raise QueueFull(f"the queue is full: {self._limit} requests wait")
            self._places.add(job)
        return job

    def enqueue(self, job: Job[Any], run: Callable[[], None]) -> None:
        """Have `run` called in the thread when it is the job's turn; raises Stopping."""
        with self._wake:
            if self._stopping:
                raise Stopping("the server is shutting down")
            self._waiting.append((job, run))
            self._wake.notify()

    def release(self, job: Job[Any]) -> None:
        """Free a job's place; one that is running keeps it until the thread is through with it."""
        with self._wake:
            for entry in [e for e in self._waiting if e[0] is job]:
                self._waiting.remove(entry)
            if self._current is not job:
                self._places.discard(job)

    def status(self) -> QueueStatus:
        """How many wait (those that are being checked included), and whether one is being drawn."""
        with self._wake:
            running = int(self._current is not None)
            return QueueStatus(
                queued=max(0, len(self._places) - running),
                queue_limit=self._limit,
                in_flight=running,
            )

    def close(self) -> None:
        """Cancel everything and wait for the thread to end."""
        with self._wake:
            self._stopping = True
            for job in self._places:
                job.cancelled.set()
            self._wake.notify_all()
        self._thread.join()

    def _loop(self) -> None:
        if self._on_start is not None:
            self._on_start()
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    for job, _ in self._waiting:
                        job.end(Stopping("the server is shutting down"))
                    return
                job, run = self._waiting.popleft()
                self._current = job
            error: BaseException | None = None
            try:
                run()
            except BaseException as raised:
                error = raised
            job.end(error)
            with self._wake:
                self._current = None
                self._places.discard(job)
