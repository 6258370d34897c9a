"""The decision log: one JSON line for every decision, without the prompt's text.

A line is written before the client gets its picture. One that cannot be written is an error of the
request (AuditError), not a line less.
"""

from __future__ import annotations

import datetime
import io
import json
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inkguard.policy import rule_ids
from inkguard.types import Decision, Method, Rung, Verification
from inkguard_server.errors import AuditError

__all__ = ["FORMAT", "DecisionLog", "Record"]

FORMAT = 1
"""The version of the record's format; docs/guides/server.md describes it."""


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is recorded of one decision. `outcome` is "checked", "drawn", "blocked", "cancelled" or "failed"."""

    request_id: str
    rpc: str
    decision: Decision
    outcome: str
    prompt_length: int
    policy_digest: str
    model: str | None = None
    manifest_digest: str | None = None
    method: Method | None = None
    rung: Rung | None = None
    verification: Verification | None = None
    seed: int | None = None
    timings: Mapping[str, float] = field(default_factory=dict)

    def to_json(self, time: datetime.datetime) -> dict[str, Any]:
        """The line's object. Offsets stand for the text, which is left out."""
        decision = self.decision
        return {
            "kind": "decision",
            "format": FORMAT,
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "request_id": self.request_id,
            "rpc": self.rpc,
            "policy": {
                "name": decision.policy.name,
                "version": decision.policy.version,
                "digest": self.policy_digest,
            },
            "rule_ids": rule_ids.FORMAT,
            "prompt": {"length": self.prompt_length},
            "spans": [{"start": s.start, "end": s.end, "cue": s.cue} for s in decision.spans],
            "findings": [
                {
                    "start": f.start,
                    "end": f.end,
                    "source": f.source,
                    "rule": f.rule,
                    "category": f.category,
                    "severity": str(f.severity),
                    "score": round(f.score, 4),
                    "action": str(f.action),
                }
                for f in decision.findings
            ],
            "action": str(decision.action),
            "reason": decision.reason,
            "outcome": self.outcome,
            "model": self.model,
            "manifest_digest": self.manifest_digest,
            "method": self.method and str(self.method),
            "rung": self.rung and str(self.rung),
            "verification": self.verification and str(self.verification),
            "seed": self.seed,
            "timings": {k: round(v, 6) for k, v in self.timings.items()},
        }


class DecisionLog:
    """Appends records to a file, or to standard output for "-"."""

    def __init__(self, target: str, clock: Callable[[], datetime.datetime] = _now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._file: io.FileIO | None = None
        if target != "-":
            try:
                path = Path(target)
                path.parent.mkdir(parents=True, exist_ok=True)
                # Unbuffered: a line that failed must not come out later, or stand half in a buffer.
                self._file = path.open("ab", buffering=0)
            except OSError as error:
                raise AuditError(f"decision_log: {target}: {error.strerror}") from None

    def write(self, record: Record) -> None:
        """Append one line and flush it; raises AuditError."""
        line = json.dumps(record.to_json(self._clock()), ensure_ascii=False) + "\n"
        try:
            with self._lock:
                self._append(line)
        except (OSError, ValueError) as error:
            raise AuditError(
                f"the decision could not be recorded ({type(error).__name__})"
            ) from None

    def _append(self, line: str) -> None:
        if self._file is None:
            sys.stdout.write(line)
            sys.stdout.flush()
        elif self._file.write(data := line.encode()) != len(data):
            raise OSError("only a part of the line was written")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
