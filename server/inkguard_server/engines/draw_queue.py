"""One thread that owns the pipelines, with a bounded queue in front of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

from inkguard_server.engines.base import Load
from inkguard_server.errors import QueueFull, Stopping

__all__ = ["Job", "Worker"]

_T = TypeVar("_T")


class _End:
    """The last event of a job; `error` is what it raised."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Job(Generic[_T]):
    """A place in the queue, and the events of the work that is done there.

    `run` is called in the worker's thread; it should look at `cancelled` often, and `emit` events.
    """

    def __init__(self, worker: Worker, loop: asyncio.AbstractEventLoop) -> None:
        self._worker, self._loop = worker, loop
        self._events: asyncio.Queue[_T | _End] = asyncio.Queue()
        self.cancelled = threading.Event()
        self.run: Callable[[Job[_T]], None] | None = None
        self._queued_at = 0.0
        self.waited = 0.0

    def emit(self, event: _T) -> None:
        """Hand an event to the event loop; called in the worker's thread."""
        self._put(event)

    async def events(self, run: Callable[[Job[_T]], None]) -> AsyncIterator[_T]:
        """Have `run` called when it is this job's turn, and yield what it emits; raise what it raises."""
        self.run = run
        self._queued_at = time.perf_counter()
        self._worker._enqueue(self)
        while not isinstance(event := await self._events.get(), _End):
            yield event
        if event.error is not None:
            raise event.error

    def release(self) -> None:
        """Give the place back; work that is going on is cancelled. May be called more than once."""
        self.cancelled.set()
        self._worker._release(self)

    def _work(self) -> None:
        assert self.run is not None
        self.waited = time.perf_counter() - self._queued_at
        error: BaseException | None = None
        try:
            self.run(self)
        except BaseException as raised:
            error = raised
        self._put(_End(error))

    def _put(self, event: _T | _End) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits for this any more
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)


class Worker:
    """Runs jobs one at a time, in the order in which they were enqueued; `on_start` runs first."""

    def __init__(self, limit: int, on_start: Callable[[], None] | None = None) -> None:
        self._limit, self._on_start = limit, on_start
        self._places: set[Job[Any]] = set()
        self._queue: deque[Job[Any]] = deque()
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

    def load(self) -> Load:
        """How many wait (those that are being checked included), and whether one is being drawn."""
        with self._wake:
            running = int(self._current is not None)
            return Load(
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

    def _enqueue(self, job: Job[_T]) -> None:
        with self._wake:
            if self._stopping:
                raise Stopping("the server is shutting down")
            self._queue.append(job)
            self._wake.notify()

    def _release(self, job: Job[_T]) -> None:
        with self._wake:
            with suppress(ValueError):
                self._queue.remove(job)
            # A job that is running keeps its place until the thread is through with it.
            if self._current is not job:
                self._places.discard(job)

    def _loop(self) -> None:
        if self._on_start is not None:
            self._on_start()
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._queue or self._stopping)
                if self._stopping:
                    for waiting in self._queue:
                        waiting._put(_End(Stopping("the server is shutting down")))
                    return
                job = self._current = self._queue.popleft()
            job._work()
            with self._wake:
                self._current = None
                self._places.discard(job)
