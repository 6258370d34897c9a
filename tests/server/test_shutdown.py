"""The end of a server: in this process, and as a real process with real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import psutil
import pytest

from inkguard.client import CallError, Client
from inkguard.types import Request
from inkguard.wire.v1 import guard_pb2 as pb
from inkguard.wire.v1.guard_pb2_grpc import GuardServiceStub
from inkguard_server.engines.local import LocalEngine
from inkguard_server.settings import load_settings

if TYPE_CHECKING:
    from tests.server.conftest import Live

SCRIPT = """
import json, sys
from inkguard_server.app import serve
from inkguard_server.settings import load_settings
serve(load_settings(**json.loads(sys.argv[1])))
"""


def test_a_drain_lets_requests_end_and_takes_no_new_one(
    serve: Callable[..., Live], gate: Callable[..., Any], until: Callable[..., None]
) -> None:
    """The one that is drawn and the one that waits both get their pictures."""
    live, held = serve(), gate(1)
    streams = [live.generate(metadata=(("x-request-id", f"drain-{n}"),)) for n in range(2)]
    until(lambda: live.sidecar.engine.queue_status().queued == 1)
    stopping = live.loop.start(live.sidecar.stop(30))
    with Client(live.sidecar.address, attempts=1) as client:
        until(lambda: code_of(client) == "UNAVAILABLE")
    with pytest.raises(grpc.RpcError) as error:
        list(live.generate(timeout=5))
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert not stopping.done()
    held.open()
    for stream in streams:
        assert list(stream)[-1].HasField("summary")
    stopping.result(20)
    assert [live.record(f"drain-{n}")["outcome"] for n in range(2)] == ["drawn", "drawn"]


def code_of(client: Client) -> str:
    try:
        client.check("a cat", timeout=2)
    except CallError as error:
        return error.code
    return "OK"


def test_a_drain_that_takes_too_long_cancels(
    serve: Callable[..., Live], gate: Callable[..., Any], until: Callable[..., None]
) -> None:
    """After the grace the client is told, the decision recorded, and no further step runs."""
    live, held = serve(), gate(2)
    stream = live.generate(steps=50, metadata=(("x-request-id", "slow"),))
    assert held.reached.wait(20)
    live.loop.run(live.sidecar.stop(0.2))  # though the step would hold it for ever
    with pytest.raises(grpc.RpcError) as error:
        list(stream)
    assert error.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    assert live.record("slow")["outcome"] == "cancelled"
    held.open()
    until(lambda: live.sidecar.engine.queue_status().in_flight == 0)
    assert held.count == 2


def test_an_engine_that_ends_tells_its_clients(
    loop: Any, serve: Callable[..., Live], until: Callable[..., None]
) -> None:
    """Closed under load: UNAVAILABLE with the reason, for the one drawn and the one that waits."""
    engine = LocalEngine(load_settings(threads=1, queue_limit=2))
    live = serve(engine)
    denoiser = engine.pipes["sd3-tiny"].transformer
    denoiser.register_forward_pre_hook(lambda *_: time.sleep(0.02))
    streams = [live.generate(steps=100)]
    assert any(e.HasField("progress") for e in streams[0])
    streams.append(live.generate(steps=100))
    until(lambda: engine.queue_status().queued == 1)
    loop.run(engine.close())
    for stream in streams:
        with pytest.raises(grpc.RpcError) as error:
            list(stream)
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    with pytest.raises(grpc.RpcError) as error:
        list(live.generate())
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert all(r["outcome"] == "failed" for r in live.records())


class Process:
    """The server as a process of its own."""

    def __init__(self, folder: Path, **values: Any) -> None:
        self.log = folder / "decisions.jsonl"
        settings = {
            **{"listen": "127.0.0.1:0", "metrics": None, "threads": 1},
            **{"decision_log": str(self.log), **values},
        }
        self.errors = folder / "stderr"
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with self.errors.open("wb") as stderr:
            self.popen = subprocess.Popen(
                [sys.executable, "-c", SCRIPT, json.dumps(settings)],
                **{"stdout": subprocess.PIPE, "stderr": stderr, "text": True, "env": environment},
            )

    def listening(self) -> dict[str, Any]:
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        assert line, self.errors.read_text()
        return json.loads(line)

    def ended(self, seconds: float) -> int:
        """Its exit code; its children must be gone and its log lines must be JSON."""
        children = psutil.Process(self.popen.pid).children(recursive=True)
        code = self.popen.wait(seconds)
        assert not [c for c in children if c.is_running()]
        for line in self.errors.read_text().splitlines():
            assert json.loads(line)["level"] in ("info", "warning"), line
        return code


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Process]]:
    """Three servers that load at the same time: one for each way to end."""
    drains = {"long": 60.0, "short": 0.3, "twice": 60.0}
    started = {
        name: Process(tmp_path_factory.mktemp(name), drain_seconds=seconds, max_steps=1000)
        for name, seconds in drains.items()
    }
    yield started
    for process in started.values():
        process.popen.kill()
        process.popen.wait()


def under_load(address: str, steps: int) -> tuple[grpc.Channel, Any]:
    """A channel, and a stream of it whose first step is done."""
    channel = grpc.insecure_channel(address)
    request = pb.GenerateImageRequest(prompt="a red circle", steps=steps)
    stream = GuardServiceStub(channel).GenerateImage(request)
    next(event for event in stream if event.HasField("progress"))
    return channel, stream


def test_sigterm_lets_the_running_request_end(processes: dict[str, Process]) -> None:
    """Its picture comes, new ones are refused with UNAVAILABLE, and the exit code is 0."""
    process = processes["long"]
    listening = process.listening()
    assert (listening["kind"], listening["metrics"]) == ("listening", None)
    channel, stream = under_load(listening["grpc"], 60)
    process.popen.send_signal(signal.SIGTERM)
    with Client(listening["grpc"], attempts=1) as client:
        codes = {code_of(client) for _ in range(40) if not time.sleep(0.01)}
        with pytest.raises(CallError, match="UNAVAILABLE"):
            client.generate(Request(prompt="a cat", steps=1))
    assert codes <= {"OK", "UNAVAILABLE"}
    events = list(stream)
    assert [e.WhichOneof("event") for e in events[-2:]] == ["chunk", "summary"]
    channel.close()
    assert process.ended(20) == 0
    (record,) = [r for r in map(json.loads, process.log.open()) if r["rpc"] == "GenerateImage"]
    assert record["outcome"] == "drawn"


@pytest.mark.parametrize(
    ("name", "signals"),
    [("short", [signal.SIGTERM]), ("twice", [signal.SIGTERM, signal.SIGINT])],
)
def test_a_drain_is_cut_short(
    processes: dict[str, Process], name: str, signals: list[signal.Signals]
) -> None:
    """By its limit, or by a second signal: the request is cancelled, and the exit code is 0."""
    process = processes[name]
    channel, stream = under_load(process.listening()["grpc"], 1000)
    for number in signals:
        process.popen.send_signal(number)
        time.sleep(0.1)
    with pytest.raises(grpc.RpcError) as error:
        list(stream)
    assert error.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    assert process.ended(20) == 0
    channel.close()
    (record,) = map(json.loads, process.log.open())
    assert record["outcome"] == "cancelled"
