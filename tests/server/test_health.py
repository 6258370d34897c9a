"""grpc.health.v1 by the standard health client."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

if TYPE_CHECKING:
    from tests.server.conftest import Live

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize("service", ["", "guard.v1.GuardService"])
def test_a_server_and_its_service_are_serving(live: Live, service: str) -> None:
    """Under both names that load balancers ask for."""
    stub = health_pb2_grpc.HealthStub(live.channel)
    assert stub.Check(health_pb2.HealthCheckRequest(service=service)).status == SERVING


def test_an_unknown_service_is_not_found(live: Live) -> None:
    """As grpc.health.v1 asks."""
    stub = health_pb2_grpc.HealthStub(live.channel)
    with pytest.raises(grpc.RpcError) as error:
        stub.Check(health_pb2.HealthCheckRequest(service="nope"))
    assert error.value.code() is grpc.StatusCode.NOT_FOUND


def test_health_is_answered_under_load(live: Live, gate: Callable[..., Any]) -> None:
    """While a step runs; otherwise a busy server is restarted."""
    held = gate(1)
    stream = live.generate()
    assert held.reached.wait(20)
    stub = health_pb2_grpc.HealthStub(live.channel)
    assert stub.Check(health_pb2.HealthCheckRequest(), timeout=5).status == SERVING
    held.open()
    assert list(stream)


@pytest.mark.parametrize("service", ["", "guard.v1.GuardService"])
def test_a_watcher_sees_the_server_go(
    serve: Callable[..., Live], gate: Callable[..., Any], service: str
) -> None:
    """NOT_SERVING is told when the drain begins, while the last request is still drawn."""
    live, held = serve(), gate(1)
    watch = health_pb2_grpc.HealthStub(live.channel).Watch(
        health_pb2.HealthCheckRequest(service=service)
    )
    assert next(watch).status == SERVING
    stream = live.generate()
    assert held.reached.wait(20)
    stopping = live.loop.start(live.sidecar.stop(1))
    assert next(watch).status == NOT_SERVING
    assert not stopping.done()
    held.open()
    assert list(stream)[-1].HasField("summary")
    stopping.result(20)
