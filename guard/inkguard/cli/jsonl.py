"""JSON lines in, JSON lines out, in order, in batches of what has arrived."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

__all__ = ["BadLine", "Job", "run"]

_MAX_LINE = 1_000_000


@dataclass(frozen=True, slots=True)
class Job:
    """One good line: its `id` (any JSON value, None where there is none) and the whole object."""

    id: Any
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BadLine:
    """One line that cannot be used, and why. The message never quotes the line."""

    id: Any
    error: str


def run(
    source: IO[bytes],
    sink: IO[str],
    parse: Callable[[dict[str, Any]], str | None],
    work: Callable[[list[Job]], list[dict[str, Any]]],
    *,
    batch: int = 64,
) -> int:
    """Answer every line of `source`; return how many could not be used.

    `parse` returns what is wrong with an object, or None. `work` answers a batch of good lines with
    one object each; an "error" key counts as a line that could not be used.
    """
    failed = 0
    for group in _batches(source, batch):
        lines = [_parse(line, parse) for line in group]
        answers = iter(work(jobs) if (jobs := [x for x in lines if isinstance(x, Job)]) else [])
        for line in lines:
            if isinstance(line, BadLine):
                answer: dict[str, Any] = {"id": line.id, "error": line.error}
            else:
                answer = {"id": line.id, **next(answers)}
            failed += "error" in answer
            sink.write(json.dumps(answer, ensure_ascii=False) + "\n")
        sink.flush()
    return failed


def _parse(line: bytes, parse: Callable[[dict[str, Any]], str | None]) -> Job | BadLine:
    if len(line) > _MAX_LINE:
        return BadLine(None, f"the line is longer than {_MAX_LINE} bytes")
    try:
        data = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return BadLine(None, f"not UTF-8: byte {error.start} of the line")
    except (json.JSONDecodeError, RecursionError) as error:
        where = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        return BadLine(None, f"not JSON{where}")
    if not isinstance(data, dict):
        return BadLine(None, "not a JSON object")
    problem = parse(data)
    return BadLine(data.get("id"), problem) if problem else Job(data.get("id"), data)


def _batches(source: IO[bytes], size: int) -> Iterator[list[bytes]]:
    """Groups of the lines that are there: a slow writer gets an answer for each line at once."""
    lines: queue.Queue[bytes | None] = queue.Queue(maxsize=size * 4)

    def read() -> None:
        for line in source:
            if line.strip():
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while (line := lines.get()) is not None:
        group = [line]
        while len(group) < size:
            try:
                following = lines.get_nowait()
            except queue.Empty:
                break
            if following is None:
                yield group
                return
            group.append(following)
        yield group
