"""Logs as JSON lines on standard error, with no user text in them.

Libraries log and raise prompts (diffusers quotes what it truncates), so of a foreign log record only
the logger, the level and the place are kept, and of an unexpected exception its type and frames.
"""

from __future__ import annotations

import contextvars
import datetime
import json
import logging
import sys
import traceback

__all__ = ["request_id", "set_up_logs", "where"]

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
"""The request that is being answered, empty outside of one."""

_OWN = ("inkguard", "inkguard_server")


class _Lines(logging.Formatter):
    """One JSON object a record."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, object] = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if record.name.split(".")[0] in _OWN:
            line["message"] = record.getMessage()
            line.update(getattr(record, "fields", {}))
        else:
            line["message"] = "(left out: it may quote a prompt)"
            line["place"] = f"{record.filename}:{record.lineno}"
        if current := request_id.get():
            line["request_id"] = current
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = where(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


def where(error: BaseException) -> dict[str, object]:
    """An exception's type and the frames that it came through; its message may quote a prompt."""
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "type": type(error).__name__,
        "frames": [f"{f.filename}:{f.lineno} {f.name}" for f in frames],
    }


def set_up_logs(level: str) -> None:
    """Send every log record of the process to standard error in this form, warnings included."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _OWN:
        logging.getLogger(name).setLevel(level.upper())
