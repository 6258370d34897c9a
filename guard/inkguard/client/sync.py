"""The blocking client."""

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

__all__ = ["Client"]

_T = TypeVar("_T")


class Client:
    """Talks to one sidecar at `target` (HOST:PORT); without `tls` in plain text. Thread-safe.

    `timeout` is the deadline of every call in seconds (None for none) unless the call gives its own.
    A call that ends UNAVAILABLE is tried again, `attempts` times in all. Every method raises
    CallError.
    """

    def __init__(
        self,
        target: str,
        *,
        tls: Tls | None = None,
        timeout: float | None = 300.0,
        attempts: int = 5,
    ) -> None:
        self._connection = Connection(grpc, target, tls, timeout, attempts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the channel; calls that run are cancelled."""
        self._connection.channel.close()

    def check(
        self,
        prompt: str,
        *,
        policy: str = "",
        timeout: float | None = None,
        request_id: str | None = None,
    ) -> Decision:
        """What the policy makes of a prompt."""
        return self._call(calls.check(prompt, policy), timeout, request_id)

    def generate(
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
        """Draw pictures. An exception from a callback, or Ctrl-C, cancels the drawing on the server.

        With `random_seed` the server chooses the seed and the result tells it.
        """
        message = request_to_proto(request, model=model, policy=policy, random_seed=random_seed)
        drawing = calls.Drawing(on_decision, on_progress)
        stream = self._connection.stub.GenerateImage(
            message, **self._connection.options(timeout, request_id)
        )
        try:
            for event in stream:
                drawing.add(event)
        except grpc.RpcError as error:
            raise self._connection.error(error) from None
        finally:
            stream.cancel()
        return drawing.result()

    def models(self) -> list[ModelInfo]:
        """The models that the server draws with."""
        return self._call(calls.MODELS)

    def policies(self) -> list[PolicyInfo]:
        """The policies that the server decides by."""
        return self._call(calls.POLICIES)

    def status(self) -> pb.GetStatusResponse:
        """How the server is."""
        return self._call(calls.STATUS)

    def _call(
        self, call: calls.Call[_T], timeout: float | None = None, request_id: str | None = None
    ) -> _T:
        method = getattr(self._connection.stub, call.rpc)
        try:
            answer = method(call.message, **self._connection.options(timeout, request_id))
        except grpc.RpcError as error:
            raise self._connection.error(error) from None
        return call.read(answer)
