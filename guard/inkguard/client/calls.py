"""The RPCs without the wire: what each of them sends, how its answer is read, and what its error says.

Both clients are loops around these functions. Adding an RPC means a function here and a method in each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from inkguard.errors import CallError
from inkguard.types import Decision, Progress, Result
from inkguard.wire.convert import (
    decision_from_proto,
    model_from_proto,
    policy_from_proto,
    progress_from_proto,
    result_from_proto,
)
from inkguard.wire.records import ModelInfo, PolicyInfo
from inkguard.wire.v1 import guard_pb2 as pb

__all__ = ["MODELS", "POLICIES", "STATUS", "Call", "Drawing", "call_error", "check"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Call(Generic[_T]):
    """A call with one answer: the RPC's name in the proto, its message, and how the answer is read."""

    rpc: str
    message: Any
    read: Callable[[Any], _T]


def check(prompt: str, policy: str) -> Call[Decision]:
    message = pb.CheckPromptRequest(prompt=prompt, policy=policy)
    return Call("CheckPrompt", message, lambda reply: decision_from_proto(reply.decision))


MODELS: Call[list[ModelInfo]] = Call(
    "ListModels", pb.ListModelsRequest(), lambda reply: [*map(model_from_proto, reply.models)]
)
POLICIES: Call[list[PolicyInfo]] = Call(
    "ListPolicies",
    pb.ListPoliciesRequest(),
    lambda reply: [*map(policy_from_proto, reply.policies)],
)
STATUS: Call[pb.GetStatusResponse] = Call("GetStatus", pb.GetStatusRequest(), lambda reply: reply)


class Drawing:
    """Puts the events of a GenerateImage together, and tells them to the caller as they come."""

    def __init__(
        self,
        on_decision: Callable[[Decision], None] | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._on_decision, self._on_progress = on_decision, on_progress
        self._pngs: dict[int, bytearray] = {}
        self._summary: pb.Summary | None = None

    def add(self, event: pb.GenerateImageEvent) -> None:
        """Take the next event; raises what the caller's function raises."""
        kind = event.WhichOneof("event")
        if kind == "decision" and self._on_decision is not None:
            self._on_decision(decision_from_proto(event.decision))
        elif kind == "progress" and self._on_progress is not None:
            self._on_progress(progress_from_proto(event.progress))
        elif kind == "chunk":
            self._pngs.setdefault(event.chunk.picture, bytearray()).extend(event.chunk.data)
        elif kind == "summary":
            self._summary = event.summary

    def result(self) -> Result:
        """The whole; raises CallError for a stream that ended too early."""
        summary = self._summary
        if summary is None or summary.pictures != len(self._pngs):
            raise CallError("DATA_LOSS", "the stream ended without all of its pictures")
        return result_from_proto(summary, (bytes(self._pngs[n]) for n in sorted(self._pngs)))


def call_error(error: Any, *, tls: bool) -> CallError:
    """The error for a gRPC error, with what its google.rpc details say; `tls` is whether the client speaks it."""
    code, detail = error.code().name, error.details() or ""
    said: dict[str, Any] = {}
    try:
        status = rpc_status.from_call(error)
    except (
        ValueError,
        DecodeError,
    ):  # details that are not this status's, from something in between
        status = None
    for packed in status.details if status is not None else ():
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if packed.Unpack(info):
            said["reason"] = info.reason
        elif packed.Unpack(bad) and bad.field_violations:
            said["field"] = bad.field_violations[0].field
        elif packed.Unpack(retry):
            delay = retry.retry_delay
            said["retry_after"] = delay.seconds + delay.nanos / 1e9
    if code == "UNAVAILABLE" and "reason" not in said:
        detail += _maybe_tls(detail, tls)
    return CallError(code, detail, **said)


def _maybe_tls(detail: str, tls: bool) -> str:
    """What to say where a connection was made and then failed, which is how sides that differ in TLS meet."""
    lowered = detail.lower()
    if tls and any(word in lowered for word in ("ssl", "tls", "handshake", "certificate")):
        return (
            ". TLS did not come about: the server may speak plain text, or one side does not trust "
            "the other's certificate"
        )
    if not tls and any(word in lowered for word in ("closed", "reset", "eof", "broken pipe")):
        return (
            ". The server may want TLS, which this client was not told to speak (tls=Tls(...), or "
            "--tls-ca on the command line)"
        )
    return ""
