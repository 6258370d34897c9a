"""What every RPC has in common: request id, parsing, errors to statuses, metrics, one log line."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from inkguard.wire.v1 import guard_pb2 as pb
from inkguard_server.decode_errors import why_undecodable
from inkguard_server.errors import Refused, refuse
from inkguard_server.logs import request_id
from inkguard_server.metrics import Metrics

__all__ = ["REQUEST_ID", "SERVICE", "Call", "handlers"]

REQUEST_ID = "x-request-id"
SERVICE = pb.DESCRIPTOR.services_by_name["GuardService"]
_GOOD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}")
_SLACK = 0.1
"""Seconds: a client's own clock, which began earlier, ends a call before the server's deadline."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Call:
    """One RPC: its id, and `write` for a stream's messages. `note` goes into its log line."""

    id: str
    write: Callable[[Any], Awaitable[None]]
    note: dict[str, Any] = field(default_factory=dict)


def handlers(
    service: Any, metrics: Metrics, running: set[asyncio.Task[Any]]
) -> grpc.GenericRpcHandler:
    """The gRPC handlers for `service`, which has a method in snake case for each of the proto's.

    `running` holds the task of every RPC until all of it is done, its record included.

    Requests arrive as bytes and are parsed here, so that one that is not UTF-8 is the client's
    mistake (INVALID_ARGUMENT that names the field), not the server's.
    """
    table: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
    for method in SERVICE.methods:
        name = method.name
        function = getattr(service, re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower())
        request_class = getattr(pb, method.input_type.name)
        behaviour = _behaviour(name, function, request_class, metrics, running)
        make = (
            grpc.unary_stream_rpc_method_handler
            if method.server_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        table[name] = make(behaviour, None, getattr(pb, method.output_type.name).SerializeToString)
    return grpc.method_handlers_generic_handler(SERVICE.full_name, table)


def _behaviour(
    name: str,
    function: Callable[..., Awaitable[Any]],
    request_class: Any,
    metrics: Metrics,
    running: set[asyncio.Task[Any]],
) -> Any:
    async def behaviour(data: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        task.add_done_callback(running.discard)
        call = Call(_request_id(context), context.write)
        token = request_id.set(call.id)
        try:
            await context.send_initial_metadata(((REQUEST_ID, call.id),))
            with _observed(name, call, context, metrics) as outcome:
                try:
                    return await function(_parse(request_class, data), call)
                except Exception as error:
                    outcome.refused = refuse(error)
                    if outcome.refused.code == "INTERNAL":
                        _log.error("an RPC failed", exc_info=error)
            refused = outcome.refused
            await context.abort(refused.status, refused.detail, refused.metadata)
        finally:
            request_id.reset(token)

    return behaviour


@dataclass(slots=True)
class _Outcome:
    refused: Refused = field(default_factory=lambda: Refused("OK", ""))


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
        status = cancelled or outcome.refused.code
        seconds = time.perf_counter() - began
        metrics.requests.labels(name, status).inc()
        metrics.request_seconds.labels(name).observe(seconds)
        fields = {"rpc": name, "status": status, "seconds": round(seconds, 4), **call.note}
        _log.info("rpc", extra={"fields": fields})


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
