"""The decision log's format, and that no text of a prompt gets into it or anywhere else."""

from __future__ import annotations

import datetime
import io
import json
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from inkguard.types import Action, Decision, Finding, Method, PolicyRef, Rung, Severity, TextSpan
from inkguard.wire.v1 import guard_pb2 as pb
from inkguard_server.audit import FORMAT, DecisionLog, Record
from inkguard_server.errors import AuditError

if TYPE_CHECKING:
    from tests.server.conftest import Live

MARK = "zebrafinch"
DECISION = Decision(
    action=Action.BLOCK,
    policy=PolicyRef(name="p", version="7"),
    spans=(TextSpan(start=3, end=7, text="MARK"),),
    findings=(
        Finding(
            start=3,
            end=7,
            text="MARK",
            source="detoxify",
            rule="detoxify.insult",
            category="insult",
            severity=Severity.MILD,
            score=0.123456,
            action=Action.BLOCK,
        ),
    ),
    reason="findings",
)
RECORD = Record(
    request_id="r-1",
    rpc="GenerateImage",
    decision=DECISION,
    outcome="blocked",
    prompt_length=9,
    policy_digest="d1",
    model="m",
    manifest_digest="sha256:d2",
    method=Method.SUBSTITUTE,
    rung=Rung.BLOCK,
    seed=5,
    timings={"classify": 0.12345678},
)
LINE = {
    "kind": "decision",
    "format": 1,
    "time": "2026-01-02T03:04:05.678Z",
    "request_id": "r-1",
    "rpc": "GenerateImage",
    "policy": {"name": "p", "version": "7", "digest": "d1"},
    "rule_ids": "digest-1",
    "prompt": {"length": 9},
    "spans": [{"start": 3, "end": 7, "cue": "quoted"}],
    "findings": [
        {
            "start": 3,
            "end": 7,
            "source": "detoxify",
            "rule": "detoxify.insult",
            "category": "insult",
            "severity": "mild",
            "score": 0.1235,
            "action": "block",
        }
    ],
    "action": "block",
    "reason": "findings",
    "outcome": "blocked",
    "model": "m",
    "manifest_digest": "sha256:d2",
    "method": "substitute",
    "rung": "block",
    "verification": None,
    "seed": 5,
    "timings": {"classify": 0.123457},
}


def clock() -> datetime.datetime:
    return datetime.datetime(2026, 1, 2, 3, 4, 5, 678_900, datetime.UTC)


def test_a_record_has_exactly_these_keys(tmp_path: Path) -> None:
    """In this order; another set of keys is another format version."""
    file = tmp_path / "new" / "log.jsonl"
    log = DecisionLog(str(file), clock)
    log.write(RECORD)
    log.close()
    (line,) = file.read_text().splitlines()
    assert list(json.loads(line).items()) == list(LINE.items())
    assert LINE["format"] == FORMAT


def test_lines_are_appended(tmp_path: Path) -> None:
    """A log that is there already is kept, also across two logs on one file."""
    file = tmp_path / "log.jsonl"
    file.write_text("before\n")
    logs = [DecisionLog(str(file)) for _ in range(2)]
    for log in logs:
        log.write(RECORD)
    assert file.read_text().count('"decision"') == 2
    assert file.read_text().startswith("before\n")
    for log in logs:
        log.close()


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    """Every line is whole."""
    file = tmp_path / "log.jsonl"
    log = DecisionLog(str(file))
    work = [threading.Thread(target=lambda: [log.write(RECORD) for _ in range(50)]) for _ in "abcd"]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    log.close()
    assert len([json.loads(line) for line in file.read_text().splitlines()]) == 200


def test_a_dash_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """The process' own, which stays open when the log is closed."""
    log = DecisionLog("-", clock)
    log.write(RECORD)
    log.close()
    print("still open")
    line, rest = capsys.readouterr().out.splitlines()
    assert json.loads(line) == LINE
    assert rest == "still open"


def test_a_log_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """At the start, not at the first decision."""
    (tmp_path / "file").write_text("")
    for target in (tmp_path, tmp_path / "file" / "log.jsonl"):
        with pytest.raises(AuditError, match=f"^decision_log: {re.escape(str(target))}: "):
            DecisionLog(str(target))


def test_a_line_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A full disk, a closed log: AuditError without the record; closing afterwards is no error."""
    full = DecisionLog("/dev/full")
    closed = DecisionLog(str(tmp_path / "log.jsonl"))
    closed.close()
    for log in (full, closed):
        with pytest.raises(AuditError, match=r"could not be recorded \((OSError|ValueError)\)"):
            log.write(RECORD)
        log.close()


def test_records_tell_what_happened(live: Live) -> None:
    """Of a check, and of a drawing, with digests that name the very policy and manifest."""
    (model,) = live.stub.ListModels(pb.ListModelsRequest()).models
    policy = live.stub.ListPolicies(pb.ListPoliciesRequest()).policies[0]
    live.stub.CheckPrompt(
        pb.CheckPromptRequest(prompt='🎈 "IDIOT"'), metadata=(("x-request-id", "told-1"),)
    )
    checked = live.record("told-1")
    assert checked.keys() == LINE.keys()
    assert (checked["outcome"], checked["action"], checked["rpc"]) == (
        "checked",
        "substitute",
        "CheckPrompt",
    )
    assert checked["prompt"] == {"length": 9}
    assert (checked["findings"][0]["start"], checked["findings"][0]["end"]) == (3, 8)
    assert checked["policy"]["digest"] == policy.digest
    assert (checked["model"], checked["seed"]) == (None, None)
    events = list(live.generate(metadata=(("x-request-id", "told-2"),)))
    drawn = live.record("told-2")
    assert (drawn["outcome"], drawn["rung"]) == ("drawn", "unguarded")
    assert drawn["verification"] == "not_needed"
    assert (drawn["model"], drawn["manifest_digest"]) == ("sd3-tiny", model.manifest_digest)
    assert drawn["seed"] == events[-1].summary.seed
    assert drawn["timings"].keys() == dict(events[-1].summary.timings).keys()


def test_no_text_of_a_prompt_gets_out(
    serve: Callable[..., Live], gate: Callable[..., Any], logs: io.StringIO
) -> None:
    """After calls of every outcome its words are in no metric, record, or log line."""
    live = serve(metrics="127.0.0.1:0", max_prompt=500)
    word = f'{MARK} sign that says "IDIOT {MARK}"'
    for prompt in (word, f"a {MARK}", f"{MARK} " * 400):
        for policy in ("default", "strict", MARK):
            with suppress(grpc.RpcError):
                live.stub.CheckPrompt(pb.CheckPromptRequest(prompt=prompt, policy=policy))
    list(live.generate(word, policy="strict"))
    list(live.generate(word, policy="unread"))
    long = f"a very long {MARK} " * 20  # longer than the tokenizer's window, which libraries tell
    list(live.generate(long))
    held = gate(1)
    stream = live.generate(word, policy="unread")
    assert held.reached.wait(20)
    stream.cancel()
    held.open()
    assert len(live.records()) >= 7
    assert len(logs.getvalue().splitlines()) >= 12
    told = [live.log.read_text(), logs.getvalue(), str(live.samples())]
    for text in told:
        assert not re.search(MARK, text, re.IGNORECASE)
        assert "IDIOT" not in text
    for line in logs.getvalue().splitlines():
        assert json.loads(line)["level"] in ("debug", "info", "warning")
