"""`results.jsonl`: what was measured so far, kept line by line, so that a killed run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from inkguard.errors import MeasureError

__all__ = ["Journal"]


class Journal:
    """Results by (variant's key, pair's number); each is in the file before `append` returns.

    `command` is whose results they are. The first line is a header with `identity`: what the results
    depend on. Opening a file with another identity raises MeasureError that names the differences. A
    last line that a kill tore is cut off. Two runs cannot have the same file open.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], command: str = "localize") -> None:
        self._format = f"inkguard {command} 1"
        self._path, self._identity = path, json.loads(json.dumps(identity))
        self.rows: dict[tuple[str, int], dict[str, Any]] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise MeasureError(f"{path}: {error.strerror}: give another --out") from None
        try:
            self._lock()
            self._load()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write rows, each with "variant" and "pair"; raises MeasureError where the disk does not."""
        new = [dict(row) for row in rows]
        self._write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in new))
        self.rows |= {(row["variant"], row["pair"]): row for row in new}

    def _write(self, text: str) -> None:
        data = text.encode()
        try:
            while data:
                data = data[self._file.write(data) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise MeasureError(
                f"{self._path}: {error.strerror}. What was measured until now is kept there: make "
                f"room, and the same command goes on"
            ) from None

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # not a POSIX system
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise MeasureError(f"{self._path}: another run is writing here") from None

    def _load(self) -> None:
        self._file.seek(0)
        data = self._file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            self._file.truncate(whole)
        lines = data[:whole].splitlines()
        if not lines:
            self._write(json.dumps({"format": self._format, "identity": self._identity}) + "\n")
            return
        self._check_header(lines[0])
        for number, line in enumerate(lines[1:], 2):
            try:
                row = json.loads(line)
                self.rows[row["variant"], row["pair"]] = row
            except (ValueError, KeyError, TypeError):
                raise MeasureError(
                    f"{self._path}:{number}: not a result. Give another --out, or delete the line"
                ) from None

    def _check_header(self, line: bytes) -> None:
        try:
            header = json.loads(line)
            found = header["identity"] if header["format"] == self._format else None
        except (ValueError, KeyError, TypeError):
            found = None
        if not isinstance(found, dict):
            raise MeasureError(f"{self._path}: not a file of this command. Give another --out")
        wanted = self._identity
        differing = [
            f"{key} is {_short(found.get(key))} there and {_short(wanted.get(key))} now"
            for key in sorted(set(found) | set(wanted))
            if found.get(key) != wanted.get(key)
        ]
        if differing:
            raise MeasureError(
                f"{self._path} holds the run of another model or of other settings: "
                f"{'; '.join(differing)}. Give another --out, or the settings of that run"
            )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{text[:60]}..." if len(text) > 63 else text
