"""A sidecar as a process of its own, on free ports, for as long as a `with` block lasts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from inkguard.errors import GuardError

__all__ = ["Addresses", "sidecar"]

_SECONDS_TO_END = 60


@dataclass(frozen=True, slots=True)
class Addresses:
    """HOST:PORT of gRPC and of /metrics, and the server's process id."""

    grpc: str
    metrics: str
    pid: int


@contextmanager
def sidecar(settings: Mapping[str, Any]) -> Iterator[Addresses]:
    """Start `inkguard serve` with these settings and wait until it listens; stop it at the end.

    Both ports are free ones on loopback, and INKGUARD_ variables of the environment are left out.
    Raises GuardError, with what the server said, where it does not come up.
    """
    values = {"listen": "127.0.0.1:0", "metrics": "127.0.0.1:0", **settings}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("INKGUARD_")}
    with tempfile.TemporaryDirectory(prefix="inkguard-") as folder:
        config, errors = Path(folder, "config.yaml"), Path(folder, "stderr")
        config.write_text(yaml.safe_dump(values), encoding="utf-8")
        command = [sys.executable, "-m", "inkguard", "serve", "--config", str(config)]
        with (
            errors.open("wb") as stderr,
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment
            ) as process,
        ):
            try:
                line = process.stdout.readline() if process.stdout is not None else ""
                if not line:
                    said = errors.read_text(encoding="utf-8", errors="replace").strip()
                    raise GuardError(f"the sidecar did not start: {said[-500:]}")
                ready = json.loads(line)
                yield Addresses(ready["grpc"], ready["metrics"], process.pid)
            finally:
                _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
