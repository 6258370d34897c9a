"""The client for asyncio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self, TypeVar

import grpc

from inkguard.client import calls
from inkguard.client.options import Connection, Tls
from inkguard.types import Decision, Progress, Request, Result
from inkguard.wire.convert import request_to_proto
from inkguard.wire.records import ModelInfo, PolicyInfo
from inkguard.wire.v1 import guard_pb2 as pb

__all__ = ["AsyncClient"]

_T = TypeVar("_T")


class AsyncClient:
    """`Client` with coroutines; cancelling the task cancels the drawing on the server."""

    def __init__(
        self,
        target: str,
        *,
        tls: Tls | None = None,
        timeout: float | None = 300.0,
        attempts: int = 5,
    ) -> None:
        self._connection = Connection(grpc.aio, target, tls, timeout, attempts)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the channel; calls that run are cancelled."""
        await self._connection.channel.close()

    async def check(
        self,
        prompt: str,
        *,
        policy: str = "",
        timeout: float | None = None,
        request_id: str | None = None,
    ) -> Decision:
        """What the policy makes of a prompt."""
        return await self._call(calls.check(prompt, policy), timeout, request_id)

    async def generate(
        self,
        request: Request,
        *,
        model: str = "",
        policy: str = "",
        random_seed: bool = False,
        on_decision: Callable[[Decision], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        timeout: float | None = None,
        request_id: str | None = None,
    ) -> Result:
        """Draw pictures; an exception from a callback cancels the drawing on the server."""
        message = request_to_proto(request, model=model, policy=policy, random_seed=random_seed)
        drawing = calls.Drawing(on_decision, on_progress)
        stream = self._connection.stub.GenerateImage(
            message, **self._connection.options(timeout, request_id)
        )
        try:
            async for event in stream:
                drawing.add(event)
        except grpc.aio.AioRpcError as error:
            raise self._connection.error(error) from None
        finally:
            stream.cancel()
        return drawing.result()

    async def models(self) -> list[ModelInfo]:
        """The models that the server draws with."""
        return await self._call(calls.MODELS)

    async def policies(self) -> list[PolicyInfo]:
        """The policies that the server decides by."""
        return await self._call(calls.POLICIES)

    async def status(self) -> pb.GetStatusResponse:
        """How the server is."""
        return await self._call(calls.STATUS)

    async def _call(
        self, call: calls.Call[_T], timeout: float | None = None, request_id: str | None = None
    ) -> _T:
        method = getattr(self._connection.stub, call.rpc)
        try:
            answer = await method(call.message, **self._connection.options(timeout, request_id))
        except grpc.aio.AioRpcError as error:
            raise self._connection.error(error) from None
        return call.read(answer)
