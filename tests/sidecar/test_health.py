"""grpc.health.v1 by its standard client."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def test_the_server_and_its_service_are_serving(serving: Any) -> None:
    """An unknown service is NOT_FOUND, as the protocol asks."""

    async def body() -> list[Any]:
        async with serving() as sidecar, grpc.aio.insecure_channel(sidecar.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            found: list[Any] = []
            for service in ("", "guard.v1.GuardService", "nope"):
                try:
                    request = health_pb2.HealthCheckRequest(service=service)
                    found.append((await stub.Check(request)).status)
                except grpc.aio.AioRpcError as error:
                    found.append(error.code())
            return found

    assert asyncio.run(body()) == [SERVING, SERVING, grpc.StatusCode.NOT_FOUND]


def test_a_watcher_sees_the_server_go(serving: Any) -> None:
    """NOT_SERVING comes before the connection ends."""

    async def body() -> list[int]:
        seen: list[int] = []
        async with serving() as sidecar, grpc.aio.insecure_channel(sidecar.address) as channel:
            watching = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())

            async def watch() -> None:
                async for reply in watching:
                    seen.append(reply.status)
                    if reply.status == NOT_SERVING:
                        return

            task = asyncio.create_task(watch())
            while not seen:
                await asyncio.sleep(0.01)
            await sidecar._health.enter_graceful_shutdown()
            await asyncio.wait_for(task, 5)
        return seen

    assert asyncio.run(body()) == [SERVING, NOT_SERVING]
