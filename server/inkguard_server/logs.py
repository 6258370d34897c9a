"""Logs as JSON lines on standard error, with no user text in them.

Libraries log and raise prompts (diffusers quotes what it truncates), so of a foreign log record only
the logger, the level and the place are kept, and of an unexpected exception its type and frames.
"""

from __future__ import annotations

import datetime
import logging
import sys
import traceback
from typing import Any

import structlog
import structlog.stdlib
from structlog.typing import EventDict

__all__ = ["get_logger", "set_up_logs", "where"]

_OWN = ("inkguard", "inkguard_server")
_LEFT_OUT = "(left out: it may quote a prompt)"


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger of the server's own: `log.info("listening", grpc=address)`.

    What `structlog.contextvars` holds (`request_id`) goes into the line. The logger is made of one of the standard library's, and
    configures nothing: in a program of its own that takes the records elsewhere they arrive there.
    """
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
    )
    return logger


def where(error: BaseException) -> dict[str, object]:
    """An exception's type and the frames that it came through; its message may quote a prompt."""
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "type": type(error).__name__,
        "frames": [f"{f.filename}:{f.lineno} {f.name}" for f in frames],
    }


def _line(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """The fields of a line. Of a record that is not ours, nothing that its author wrote."""
    record: logging.LogRecord = event.pop("_record")
    ours = event.pop("_from_structlog")
    message, error = event.pop("event"), event.pop("exc_info", None)
    arguments = event.pop("positional_args", None)
    time = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
    line: dict[str, Any] = {
        "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
    }
    if ours:
        line |= {"message": message, **event}
    elif record.name.split(".")[0] in _OWN:  # the guard's modules know the standard library alone
        line["message"] = message % arguments if arguments else message
    else:
        line |= {"message": _LEFT_OUT, "place": f"{record.filename}:{record.lineno}"}
    if not ours and (current := structlog.contextvars.get_contextvars().get("request_id")):
        line["request_id"] = current
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        line["error"] = where(error)
    return line


def set_up_logs(level: str) -> None:
    """Send every log record of the process to standard error in this form, warnings included."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[_line, structlog.processors.JSONRenderer(ensure_ascii=False)],
            # `_line` puts messages together, and only ours: `logging` itself quotes one that it fails to.
            use_get_message=False,
            pass_foreign_args=True,
        )
    )
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _OWN:
        logging.getLogger(name).setLevel(level.upper())
