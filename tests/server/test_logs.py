"""The server's log lines: their fields, and that nothing that somebody else wrote is in them."""

from __future__ import annotations

import io
import json
import logging
import warnings
from typing import Any

import pytest
from structlog.contextvars import bound_contextvars
from structlog.stdlib import ProcessorFormatter

from inkguard_server.logs import get_logger

MARK = "zebrafinch"


class Quoting:
    """What quotes a prompt as soon as it is printed."""

    def __str__(self) -> str:
        return MARK

    __repr__ = __str__


def lines(logs: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logs.getvalue().splitlines()]


def test_a_line_of_ours_has_its_fields(logs: io.StringIO) -> None:
    """Time, level, logger, message, the request that is answered, and what the caller adds."""
    with bound_contextvars(request_id="r-1"):
        get_logger("inkguard_server.here").warning("took long", seconds=2.5)
    (line,) = lines(logs)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "inkguard_server.here",
        "message": "took long",
        "request_id": "r-1",
        "seconds": 2.5,
    }


def test_the_guards_own_records_keep_their_message(logs: io.StringIO) -> None:
    """Its modules log by the standard library, with arguments, and hold no user text."""
    with bound_contextvars(request_id="r-2"):
        logging.getLogger("inkguard.check.checker").error("%s failed: %s", "lists", "KeyError")
    (line,) = lines(logs)
    assert (line["message"], line["request_id"]) == ("lists failed: KeyError", "r-2")


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        (f"truncated: {MARK}", ()),
        ("truncated: %s", (MARK,)),
        ("truncated: %s", (Quoting(),)),
        ("%d tokens: %s", (MARK,)),
        (f"%(never)s {MARK}", ({"else": MARK},)),
    ],
    ids=["message", "argument", "object", "too few arguments", "wrong arguments"],
)
def test_of_a_foreign_record_only_the_place_is_kept(
    logs: io.StringIO, capsys: pytest.CaptureFixture[str], message: str, arguments: tuple[Any, ...]
) -> None:
    """Libraries quote what they truncate; `logging` itself would quote a record that has a mistake in it."""
    record = logging.getLogger("foreign.library").makeRecord(
        *("foreign.library", logging.WARNING, "place.py", 7, message, arguments, None),
        extra={"also": MARK},
    )
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, ProcessorFormatter):  # pytest has handlers there too
            handler.handle(record)
    (line,) = lines(logs)
    assert line["message"].startswith("(left out")
    assert line["place"] == "place.py:7"
    assert line.keys() == {"time", "level", "logger", "message", "place"}
    assert MARK not in logs.getvalue() + capsys.readouterr().err


def test_of_an_exception_only_type_and_frames_are_kept(logs: io.StringIO) -> None:
    """Also of those that it came from; its message may quote a prompt."""
    try:
        try:
            raise KeyError(MARK)
        except KeyError as cause:
            raise ValueError(MARK) from cause
    except ValueError as error:
        get_logger("inkguard_server.here").error("an RPC failed", exc_info=error)
        logging.getLogger("grpc").exception(MARK, stack_info=True)
    for line in lines(logs):
        assert line["error"]["type"] == "ValueError"
        assert "test_logs.py" in line["error"]["frames"][0]
    assert MARK not in logs.getvalue()


def test_warnings_are_foreign_records(logs: io.StringIO) -> None:
    """They come from libraries, and may quote as well."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn(MARK, stacklevel=1)
    assert [line["logger"] for line in lines(logs)] == ["py.warnings"]
    assert MARK not in logs.getvalue()


def test_levels_are_the_standard_librarys(logs: io.StringIO) -> None:
    """What is below the level of a logger is not written."""
    logging.getLogger("inkguard_server").setLevel("WARNING")
    get_logger("inkguard_server.here").info("quiet")
    assert lines(logs) == []
