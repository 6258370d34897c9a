"""The client for asyncio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import grpc

from inkguard.client.options import Tls, channel_options, credentials, generate_request, metadata
from inkguard.client.reply import Collector, Progress, Reply, server_error
from inkguard.types import Decision, Request
from inkguard.wire.convert import decision_from_proto
from inkguard.wire.v1 import guard_pb2 as pb
from inkguard.wire.v1.guard_pb2_grpc import GuardServiceStub

__all__ = ["AsyncClient"]


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
        options = channel_options(attempts)
        if tls is None:
            self._channel = grpc.aio.insecure_channel(target, options)
        else:
            self._channel = grpc.aio.secure_channel(target, credentials(tls), options)
        self._stub: Any = GuardServiceStub(self._channel)
        self._timeout = timeout

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the channel; calls that run are cancelled."""
        await self._channel.close()

    async def check(
        self,
        prompt: str,
        *,
        policy: str = "",
        timeout: float | None = None,
        request_id: str | None = None,
    ) -> Decision:
        """What the policy makes of a prompt."""
        message = pb.CheckPromptRequest(prompt=prompt, policy=policy)
        reply = await self._call(self._stub.CheckPrompt, message, timeout, request_id)
        return decision_from_proto(reply.decision)

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
    ) -> Reply:
        """Draw pictures; an exception from a callback cancels the drawing on the server."""
        message = generate_request(request, model=model, policy=policy, random_seed=random_seed)
        stream = self._stub.GenerateImage(
            message, timeout=timeout or self._timeout, metadata=metadata(request_id)
        )
        collector = Collector()
        try:
            async for event in stream:
                progress = collector.add(event)
                if progress is not None and on_progress is not None:
                    on_progress(progress)
                elif event.HasField("decision") and on_decision is not None:
                    assert collector.decision is not None
                    on_decision(collector.decision)
        except grpc.aio.AioRpcError as error:
            raise server_error(
                error.code(), error.details(), error.trailing_metadata() or ()
            ) from None
        finally:
            stream.cancel()
        return collector.reply()

    async def models(self) -> list[pb.Model]:
        """The models that the server draws with."""
        return list((await self._call(self._stub.ListModels, pb.ListModelsRequest())).models)

    async def policies(self) -> list[pb.Policy]:
        """The policies that the server decides by."""
        reply = await self._call(self._stub.ListPolicies, pb.ListPoliciesRequest())
        return list(reply.policies)

    async def status(self) -> pb.GetStatusResponse:
        """How the server is."""
        status: pb.GetStatusResponse = await self._call(self._stub.GetStatus, pb.GetStatusRequest())
        return status

    async def _call(
        self,
        method: Any,
        message: Any,
        timeout: float | None = None,
        request_id: str | None = None,
    ) -> Any:
        try:
            return await method(
                message, timeout=timeout or self._timeout, metadata=metadata(request_id)
            )
        except grpc.aio.AioRpcError as error:
            raise server_error(
                error.code(), error.details(), error.trailing_metadata() or ()
            ) from None
