"""One real engine and real servers on loopback, with what the tests ask of them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import shutil
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from inkguard.policy.load import default_policy_path
from inkguard.wire.v1 import guard_pb2 as pb
from inkguard.wire.v1.guard_pb2_grpc import GuardServiceStub
from inkguard_server.app import Sidecar
from inkguard_server.engines.local import LocalEngine
from inkguard_server.logs import set_up_logs
from inkguard_server.settings import load_settings

_T = TypeVar("_T")
HARMLESS = "a red circle"


class Loop:
    """An event loop in a thread of its own, where every server of the tests lives."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def start(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self.start(work).result(60)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Kept:
    """An engine that outlives its sidecar; a test may set attributes of it to change what it does."""

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def close(self) -> None:
        """The session closes it."""


class Gate:
    """Counts denoising steps as they begin, and holds the one with the number `hold` until `open`."""

    def __init__(self, hold: int | None = None) -> None:
        self.count, self.hold = 0, hold
        self.reached, self._opened = threading.Event(), threading.Event()

    def __call__(self, *_: object) -> None:
        self.count += 1
        if self.count == self.hold:
            self.reached.set()
            assert self._opened.wait(60)

    def open(self) -> None:
        self._opened.set()


class Live:
    """A running sidecar with a channel to it."""

    def __init__(self, loop: Loop, sidecar: Sidecar, log: Path) -> None:
        self.loop, self.sidecar, self.log = loop, sidecar, log
        self.channel = grpc.insecure_channel(sidecar.address)
        self.stub: Any = GuardServiceStub(self.channel)

    def generate(self, prompt: str = HARMLESS, **fields: Any) -> Any:
        """A stream of events; two steps unless `fields` say otherwise."""
        options = {k: fields.pop(k) for k in ("timeout", "metadata") if k in fields}
        request = pb.GenerateImageRequest(prompt=prompt, **{"steps": 2, **fields})
        return self.stub.GenerateImage(request, **options)

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def record(self, request_id: str) -> dict[str, Any]:
        """The one decision record of a request, waited for."""
        until(lambda: any(r["request_id"] == request_id for r in self.records()))
        (found,) = [r for r in self.records() if r["request_id"] == request_id]
        return found

    def samples(self) -> dict[str, float]:
        """What /metrics says over HTTP, by `name{label=value,...}`."""
        with urllib.request.urlopen(f"http://{self.sidecar.metrics_address}/metrics") as reply:
            text = reply.read().decode()
        found = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}"] = sample.value
        return found

    def stop(self, grace: float = 0) -> None:
        self.channel.close()
        self.loop.run(self.sidecar.stop(grace))


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a condition; it not coming true fails the test."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


@pytest.fixture(name="until", scope="session")
def _until() -> Callable[..., None]:
    return until


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture(scope="session")
def policies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """The default policy; "strict", which blocks mild insults; "unread", which asks for no OCR."""
    folder = tmp_path_factory.mktemp("policies") / "copy"
    shutil.copytree(default_policy_path().parent, folder)
    default = (folder / "default.yaml").read_text(encoding="utf-8")
    unread = default.replace("name: default", "name: unread").replace(
        "verify: true", "verify: false"
    )
    (folder / "unread.yaml").write_text(unread, encoding="utf-8")
    insults = (folder / "wordlists" / "insult.yaml").read_text(encoding="utf-8")
    blocking = insults.replace("action: substitute", "action: block", 1)
    (folder / "wordlists" / "blocking.yaml").write_text(blocking, encoding="utf-8")
    strict = default.replace("name: default", "name: strict").replace(
        "wordlists/insult.yaml", "wordlists/blocking.yaml"
    )
    (folder / "strict.yaml").write_text(strict, encoding="utf-8")
    return (default_policy_path(), folder / "strict.yaml", folder / "unread.yaml")


@pytest.fixture(scope="session")
def engine(loop: Loop, policies: tuple[Path, ...]) -> Iterator[LocalEngine]:
    """The embedded model and the real classifier, loaded once; two requests may wait."""
    engine = LocalEngine(load_settings(threads=1, queue_limit=2, policies=policies))
    yield engine
    loop.run(engine.close())


@pytest.fixture
def kept(engine: LocalEngine) -> Kept:
    return Kept(engine)


@pytest.fixture
def serve(loop: Loop, kept: Kept, tmp_path: Path) -> Iterator[Callable[..., Live]]:
    """Starts sidecars with settings of the test's own; they end with the test."""
    started: list[Live] = []

    def start(engine: Any = kept, **values: Any) -> Live:
        log = tmp_path / f"decisions-{len(started)}.jsonl"
        live = loop.run(_start(loop, engine, log, values))
        started.append(live)
        return live

    yield start
    for live in started:
        live.stop()


async def _start(loop: Loop, engine: Any, log: Path, values: dict[str, Any]) -> Live:
    defaults = {"listen": "127.0.0.1:0", "metrics": None, "decision_log": str(log)}
    sidecar = Sidecar(load_settings(**{**defaults, **values}), engine)
    try:
        await sidecar.start()
    except BaseException:
        await sidecar.stop(0)
        raise
    return Live(loop, sidecar, log)


@pytest.fixture(scope="session")
def live(
    loop: Loop, engine: LocalEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """A sidecar with default settings for all tests that change nothing about it."""
    log = tmp_path_factory.mktemp("live") / "decisions.jsonl"
    live = loop.run(_start(loop, Kept(engine), log, {}))
    yield live
    live.stop()


@pytest.fixture
def gate(engine: LocalEngine) -> Iterator[Callable[[int | None], Gate]]:
    """Makes a `Gate` on the model's denoiser; it is opened and taken off at the end."""
    gates: list[tuple[Gate, Any]] = []
    denoiser = engine.pipes["sd3-tiny"].transformer

    def make(hold: int | None = None) -> Gate:
        gate = Gate(hold)
        gates.append((gate, denoiser.register_forward_pre_hook(gate)))
        return gate

    yield make
    for gate, handle in gates:
        gate.open()
        handle.remove()
    until(lambda: engine.queue_status().in_flight == 0)


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the server writes to standard error at its most talkative, set up as `serve` does."""
    stream = io.StringIO()
    root = logging.getLogger()
    names = ("inkguard", "inkguard_server")
    before = root.handlers[:], root.level, [logging.getLogger(n).level for n in names]
    monkeypatch.setattr(sys, "stderr", stream)
    set_up_logs("debug")
    yield stream
    logging.captureWarnings(False)
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    for name, level in zip(names, before[2], strict=True):
        logging.getLogger(name).setLevel(level)
