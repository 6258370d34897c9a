"""JSON lines: every line gets one answer, in order, and a bad one stops nothing."""

from __future__ import annotations

import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from inkguard.cli.jsonl import Job, run


def needs_prompt(data: dict[str, Any]) -> str | None:
    return None if isinstance(data.get("prompt"), str) else "prompt: a string is needed"


def echo(jobs: list[Job]) -> list[dict[str, Any]]:
    return [{"length": len(job.data["prompt"])} for job in jobs]


def answers(source: bytes, batch: int = 64) -> tuple[int, list[dict[str, Any]]]:
    sink = io.StringIO()
    failed = run(io.BytesIO(source), sink, needs_prompt, echo, batch=batch)
    return failed, [json.loads(line) for line in sink.getvalue().splitlines()]


def test_good_and_bad_lines_are_answered_in_order() -> None:
    """Broken JSON, a wrong type, a missing field and bad UTF-8 each yield an error and the run goes on."""
    lines = [
        b'{"id": 1, "prompt": "a"}',
        b"{oops",
        b"[]",
        b'{"id": "x"}',
        b"\xff\xfe",
        b'{"prompt": "bc"}',
    ]
    failed, out = answers(b"\n".join(lines))
    assert failed == 4
    assert out[0] == {"id": 1, "length": 1}
    assert [sorted(line) for line in out[1:5]] == [["error", "id"]] * 4
    assert [line["id"] for line in out[1:5]] == [None, None, "x", None]
    assert out[5] == {"id": None, "length": 2}


def test_an_error_never_quotes_the_line() -> None:
    """What a bad line held does not come back in its error."""
    _, out = answers(b'{"prompt": SECRETWORD}')
    assert "SECRETWORD" not in out[0]["error"]


@given(st.lists(st.tuples(st.integers(), st.text()), max_size=40), st.integers(1, 9))
def test_ids_come_back_in_order_whatever_the_batch(rows: list[tuple[int, str]], batch: int) -> None:
    """Batching never reorders or drops a line."""
    source = "".join(json.dumps({"id": i, "prompt": p}) + "\n" for i, p in rows)
    failed, out = answers(source.encode(), batch)
    assert failed == 0
    assert [(line["id"], line["length"]) for line in out] == [(i, len(p)) for i, p in rows]
