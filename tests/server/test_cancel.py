"""Cancelling and deadlines: the denoiser's steps are counted where they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from inkguard_server.engines.local import LocalEngine

if TYPE_CHECKING:
    from tests.server.conftest import Live

Gates = Callable[..., Any]
Until = Callable[..., None]


def first_progress(stream: Any) -> Any:
    return next(event.progress for event in stream if event.HasField("progress"))


@pytest.fixture
def decoded(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every call of the decoder."""
    vae = engine.pipes["sd3-tiny"].vae
    calls: list[object] = []
    original = vae.decode
    monkeypatch.setattr(vae, "decode", lambda *a, **k: calls.append(a) or original(*a, **k))
    return calls


@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_the_step_that_runs_is_the_last_one(
    live: Live, gate: Gates, until: Until, engine: LocalEngine, decoded: list[object], how: str
) -> None:
    """Given up during step 2 of 50: no step 3, no decoding, a record, and the next request is well."""
    before = [e for e in live.generate(seed=2) if e.HasField("chunk")]
    decoded.clear()
    held, name = gate(2), f"given-up-{how}"
    timeout = 1.5 if how == "deadline" else None
    stream = live.generate(steps=50, timeout=timeout, metadata=(("x-request-id", name),))
    assert first_progress(stream).step == 1
    assert held.reached.wait(20)
    if how == "cancel":
        stream.cancel()
    with pytest.raises(grpc.RpcError) as error:
        list(stream)
    wanted = grpc.StatusCode.CANCELLED if how == "cancel" else grpc.StatusCode.DEADLINE_EXCEEDED
    assert error.value.code() is wanted
    record = live.record(name)
    assert record["outcome"] == "cancelled"
    assert (record["rung"], record["verification"]) == (None, None)
    assert engine.queue_status().in_flight == 1, "the step that runs keeps its place"
    held.open()
    until(lambda: engine.queue_status().in_flight == 0)
    assert held.count == 2
    assert not decoded
    after = [e for e in live.generate(seed=2) if e.HasField("chunk")]
    assert after == before


def test_a_request_that_is_not_held_ends_soon(live: Live, gate: Gates, until: Until) -> None:
    """Cancelled after its first step, far from all of its 100 steps run."""
    counted = gate()
    stream = live.generate(steps=100)
    first_progress(stream)
    stream.cancel()
    until(lambda: live.sidecar.engine.queue_status().in_flight == 0)
    assert counted.count < 50


@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_a_request_that_waits_leaves_the_queue(
    live: Live, gate: Gates, until: Until, engine: LocalEngine, how: str
) -> None:
    """Its place is free at once, not one step of it runs, and the one before it is unharmed."""
    held, name = gate(1), f"left-{how}"
    running = live.generate()
    assert held.reached.wait(20)
    timeout = 1.0 if how == "deadline" else None
    waiting = live.generate(steps=7, timeout=timeout, metadata=(("x-request-id", name),))
    assert next(waiting).HasField("decision")
    until(lambda: engine.queue_status().queued == 1)
    if how == "cancel":
        waiting.cancel()
    until(lambda: engine.queue_status().queued == 0)
    assert live.record(name)["outcome"] == "cancelled"
    held.open()
    assert list(running)[-1].HasField("summary")
    assert held.count == 2


def test_a_client_that_goes_away_cancels(
    serve: Callable[..., Live], gate: Gates, until: Until, engine: LocalEngine
) -> None:
    """Closing the connection is cancelling."""
    live, held = serve(), gate(1)
    stream = live.generate(metadata=(("x-request-id", "gone"),))
    assert held.reached.wait(20)
    live.channel.close()
    assert live.record("gone")["outcome"] == "cancelled"
    held.open()
    until(lambda: engine.queue_status().in_flight == 0)
    assert held.count == 1
    assert stream.code() is grpc.StatusCode.CANCELLED


def test_deadlines_and_cancellations_are_counted_apart(
    serve: Callable[..., Live], gate: Gates, until: Until
) -> None:
    """The status in the metrics is the one that the client saw."""
    live, held = serve(metrics="127.0.0.1:0"), gate(1)
    for _ in range(3):
        with pytest.raises(grpc.RpcError) as error:
            list(live.generate(timeout=0.15))
        assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    stream = live.generate(timeout=20)
    next(stream)
    stream.cancel()

    def counted() -> dict[str, float]:
        start = "inkguard_requests_total{method=GenerateImage,status="
        return {k[len(start) : -1]: v for k, v in live.samples().items() if k.startswith(start)}

    until(lambda: sum(counted().values()) == 4)
    assert counted() == {"DEADLINE_EXCEEDED": 3, "CANCELLED": 1}
    held.open()
