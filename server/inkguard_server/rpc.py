"""What every RPC has in common: request id, parsing, errors to statuses, metrics, one log line."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_status import rpc_status
from structlog.contextvars import bound_contextvars

from inkguard.wire.v1 import guard_pb2 as pb
from inkguard_server.decode_errors import why_undecodable
from inkguard_server.errors import WireError, to_wire
from inkguard_server.logs import get_logger
from inkguard_server.metrics import Metrics

__all__ = ["REQUEST_ID", "SERVICE", "Answer", "Call", "handlers"]

REQUEST_ID = "x-request-id"
SERVICE = pb.DESCRIPTOR.services_by_name["GuardService"]
_GOOD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}")
_SLACK = 0.1
"""Seconds: a client's own clock, which began earlier, ends a call before the server's deadline."""
_log = get_logger(__name__)


@dataclass(slots=True)
class Call:
    """One RPC: its id, and `write` for a stream's messages. `note` goes into its log line."""

    id: str
    write: Callable[[Any], Awaitable[None]]
    note: dict[str, Any] = field(default_factory=dict)


Answer = Callable[[Any, Call], Awaitable[Any]]
"""What answers an RPC: it is given the message and the call, and raises what `inkguard_server.errors` knows."""


def handlers(
    rpcs: Mapping[str, Answer], metrics: Metrics, running: set[asyncio.Task[Any]]
) -> grpc.GenericRpcHandler:
    """The gRPC handlers for `rpcs`, which answer the methods of the proto's service by name.

    `running` holds the task of every RPC until all of it is done, its record included.

    Requests arrive as bytes and are parsed here, so that one that is not UTF-8 is the client's
    mistake (INVALID_ARGUMENT that names the field), not the server's.
    """
    table: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
    for method in SERVICE.methods:
        name = method.name
        request_class = getattr(pb, method.input_type.name)
        behaviour = _behaviour(name, rpcs[name], request_class, metrics, running)
        make = (
            grpc.unary_stream_rpc_method_handler
            if method.server_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        table[name] = make(behaviour, None, getattr(pb, method.output_type.name).SerializeToString)
    return grpc.method_handlers_generic_handler(SERVICE.full_name, table)


def _behaviour(
    name: str,
    answer: Answer,
    request_class: Any,
    metrics: Metrics,
    running: set[asyncio.Task[Any]],
) -> Any:
    async def behaviour(data: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        if (task := asyncio.current_task()) is not None:
            running.add(task)
            task.add_done_callback(running.discard)
        call = Call(_request_id(context), context.write)
        with bound_contextvars(request_id=call.id):
            await context.send_initial_metadata(((REQUEST_ID, call.id),))
            with _observed(name, call, context, metrics) as outcome:
                try:
                    return await answer(_parse(request_class, data), call)
                except Exception as error:
                    refused = outcome.error = to_wire(error)
                    if refused.code == "INTERNAL":
                        _log.error("an RPC failed", exc_info=error)
            status = rpc_status.to_status(refused.status)
            await context.abort(status.code, status.details, status.trailing_metadata)

    return behaviour


@dataclass(slots=True)
class _Outcome:
    """How a call ended; `error` is None as long as it goes well."""

    error: WireError | None = None


@contextmanager
def _observed(
    name: str, call: Call, context: grpc.aio.ServicerContext[Any, Any], metrics: Metrics
) -> Iterator[_Outcome]:
    """Count, time and log one RPC, also one that is cancelled."""
    began, outcome = time.perf_counter(), _Outcome()
    cancelled = None
    try:
        yield outcome
    except asyncio.CancelledError:
        left = context.time_remaining()
        late = left is not None and left <= _SLACK
        cancelled = "DEADLINE_EXCEEDED" if late else "CANCELLED"
        raise
    finally:
        status = cancelled or (outcome.error.code if outcome.error is not None else "OK")
        seconds = time.perf_counter() - began
        metrics.requests.labels(name, status).inc()
        metrics.request_seconds.labels(name).observe(seconds)
        _log.info("rpc", rpc=name, status=status, seconds=round(seconds, 4), **call.note)


def _parse(request_class: Any, data: bytes) -> Message:
    try:
        message: Message = request_class.FromString(data)
    except DecodeError:
        raise why_undecodable(request_class, data) from None
    return message


def _request_id(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """The client's request id where it is a plain one, else a new one."""
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID and isinstance(value, str) and _GOOD_ID.fullmatch(value):
            return value
    return uuid.uuid4().hex
