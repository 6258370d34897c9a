"""JSON lines in, JSON lines out, in order, in batches of what has arrived."""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any

import typer

__all__ = ["BadLine", "Job", "bad_keys", "bad_prompt", "run", "run_file"]

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


def run_file(
    name: str | None,
    parse: Callable[[dict[str, Any]], str | None],
    work: Callable[[list[Job]], list[dict[str, Any]]],
    *,
    batch: int = 64,
) -> None:
    """`run` from a file, or from standard input where its name is "-", to standard output.

    Raises BadParameter for a file that cannot be read, and Exit with code 1 where lines could not be used.
    """
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else Path(str(name)).open("rb") as source:
            failed = run(source, sys.stdout, parse, work, batch=batch)
    except OSError as error:
        raise typer.BadParameter(f"--jsonl {name}: {error.strerror}") from None
    if failed:
        raise typer.Exit(1)


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
        lines = [_parse(number, line, parse) for number, line in group]
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


def bad_prompt(data: dict[str, Any]) -> str | None:
    """What is wrong with the "prompt" of an object, or None."""
    if not isinstance(data.get("prompt"), str):
        return "prompt: a string is needed"
    if any(0xD800 <= ord(c) <= 0xDFFF for c in data["prompt"]):
        return "prompt: lone surrogates are not text"
    return None


def bad_keys(data: dict[str, Any], known: tuple[str, ...]) -> str | None:
    """Say that an object has keys that are not known, with the known one that comes closest, or None.

    The key itself is not quoted: it may be part of a prompt.
    """
    for key in data.keys() - set(known):
        close = get_close_matches(key, known, 1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        return f"a key that is not known{meant} (known: {', '.join(known)})"
    return None


def _parse(
    number: int, line: bytes, parse: Callable[[dict[str, Any]], str | None]
) -> Job | BadLine:
    def bad(error: str, name: Any = None) -> BadLine:
        return BadLine(name, f"line {number}: {error}")

    if len(line) > _MAX_LINE:
        return bad(f"longer than {_MAX_LINE} bytes")
    try:
        data = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return bad(f"not UTF-8 at byte {error.start}")
    except (json.JSONDecodeError, RecursionError) as error:
        where = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        return bad(f"not JSON{where}")
    if not isinstance(data, dict):
        return bad("not a JSON object")
    problem = parse(data)
    return bad(problem, data.get("id")) if problem else Job(data.get("id"), data)


def _batches(source: IO[bytes], size: int) -> Iterator[list[tuple[int, bytes]]]:
    """Groups of the lines that are there, with their numbers: a slow writer gets each answer at once."""
    lines: queue.Queue[tuple[int, bytes] | None] = queue.Queue(maxsize=size * 4)

    def read() -> None:
        for number, line in enumerate(source, 1):
            if line.strip():
                lines.put((number, line))
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
