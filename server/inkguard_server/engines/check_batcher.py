"""Checks of many callers in one thread: whatever has arrived is classified in one call."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from inkguard.check.checker import Checker
from inkguard.timing import Stages
from inkguard.types import CheckResult
from inkguard_server.errors import Stopping

__all__ = ["CheckBatcher"]

_MOST = 32


@dataclass(slots=True)
class _Asked:
    checker: Checker
    prompt: str
    answer: Future[CheckResult] = field(default_factory=Future)


class CheckBatcher:
    """A thread that checks prompts. There is no waiting for company: a lone prompt is checked at once.

    `on_start` is called first in the thread, and has returned when the thread is made.
    """

    def __init__(self, on_start: Callable[[], None] | None = None) -> None:
        self._on_start, self._started = on_start, threading.Event()
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._closed, self._lock = False, threading.Lock()
        self._thread = threading.Thread(target=self._loop, name="inkguard-check", daemon=True)
        self._thread.start()
        self._started.wait()

    def submit(self, checker: Checker, prompt: str) -> Future[CheckResult]:
        """The decision on `prompt`, with the seconds of the stages of the batch that it was in; raises Stopping."""
        asked = _Asked(checker, prompt)
        with self._lock:
            if self._closed:
                raise Stopping("the server is shutting down")
            self._asked.put(asked)
        return asked.answer

    def close(self) -> None:
        """Answer what was asked, and end the thread."""
        with self._lock:
            self._closed = True
            self._asked.put(None)
        self._thread.join()

    def _loop(self) -> None:
        try:
            if self._on_start is not None:
                self._on_start()
        finally:
            self._started.set()
        closing = False
        while not closing:
            batch: list[_Asked] = []
            asked = self._asked.get()
            while asked is not None:
                batch.append(asked)
                if len(batch) == _MOST or self._asked.empty():
                    break
                asked = self._asked.get()  # this thread alone takes: it does not wait
            else:
                closing = True
            self._check(batch)

    def _check(self, batch: list[_Asked]) -> None:
        groups: dict[int, list[_Asked]] = {}
        for asked in batch:
            if asked.answer.set_running_or_notify_cancel():
                groups.setdefault(id(asked.checker), []).append(asked)
        for group in groups.values():
            _answer(group)


def _answer(group: list[_Asked]) -> None:
    stages = Stages()
    try:
        decisions = group[0].checker.check_many([a.prompt for a in group], stages)
    except Exception as error:
        if len(group) == 1:
            group[0].answer.set_exception(error)
        else:  # one prompt that fails must not fail its neighbours
            for asked in group:
                _answer([asked])
        return
    for asked, decision in zip(group, decisions, strict=True):
        asked.answer.set_result(CheckResult(decision=decision, timings=dict(stages.seconds)))
