"""From exceptions to gRPC statuses: one table, with google.rpc error details."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf import duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details_pb2
from google.rpc import status_pb2
from grpc_status import rpc_status

from inkguard.errors import (
    Cancelled,
    ClassifierError,
    GuardError,
    InvalidInput,
    SubstitutionError,
    TravellingError,
    UnguardedUse,
    UnsupportedModel,
    VerificationError,
)

__all__ = ["AuditError", "Forbidden", "NotFound", "QueueFull", "Stopping", "WireError", "to_wire"]

DOMAIN = "inkguard"
_RETRY_AFTER = 1  # seconds


class NotFound(GuardError):
    """A request names a model or policy that this server does not have."""

    def __init__(self, field: str, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"{field}: no {field} {name[:64]!r}; this server has: {', '.join(known)}")
        self.field, self.name, self.known = field, name[:64], known


class Forbidden(GuardError):
    """A request asks for what this server was not started to do."""


class QueueFull(GuardError):
    """As many requests wait as may wait."""


class Stopping(GuardError):
    """The server is shutting down."""


class AuditError(GuardError):
    """A decision could not be recorded, so the client does not get its picture."""


class WireError(TravellingError):
    """An error in the form in which it crosses the engine's port and the wire; picklable.

    `serialised` is a google.rpc.Status: code, message without user text, and details.
    """

    def __init__(self, serialised: bytes) -> None:
        self.serialised = serialised
        super().__init__(self.status.message)

    @property
    def status(self) -> status_pb2.Status:
        return status_pb2.Status.FromString(self.serialised)

    @property
    def code(self) -> str:
        """The name of the `grpc.StatusCode`."""
        return rpc_status.to_status(self.status).code.name


def _info(reason: str) -> Message:
    info: Message = details_pb2.ErrorInfo(reason=reason, domain=DOMAIN)
    return info


def _retry() -> Message:
    info: Message = details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=_RETRY_AFTER))
    return info


def _invalid(error: Any) -> list[Message]:
    violation = details_pb2.BadRequest.FieldViolation(field=error.field, description=error.problem)
    return [details_pb2.BadRequest(field_violations=[violation]), _info("INVALID_INPUT")]


def _not_found(error: Any) -> list[Message]:
    resource = details_pb2.ResourceInfo(
        resource_type=error.field, resource_name=error.name, description=str(error)
    )
    return [resource, _info("NOT_FOUND")]


_TABLE: tuple[tuple[type[Exception], grpc.StatusCode, Callable[[Any], list[Message]]], ...] = (
    (InvalidInput, grpc.StatusCode.INVALID_ARGUMENT, _invalid),
    (NotFound, grpc.StatusCode.NOT_FOUND, _not_found),
    (QueueFull, grpc.StatusCode.RESOURCE_EXHAUSTED, lambda _: [_retry(), _info("QUEUE_FULL")]),
    (Stopping, grpc.StatusCode.UNAVAILABLE, lambda _: [_retry(), _info("STOPPING")]),
    (Forbidden, grpc.StatusCode.PERMISSION_DENIED, lambda _: [_info("UNGUARDED_NOT_ALLOWED")]),
    (Cancelled, grpc.StatusCode.CANCELLED, lambda _: [_info("CANCELLED")]),
    (UnsupportedModel, grpc.StatusCode.FAILED_PRECONDITION, lambda _: [_info("NO_MANIFEST")]),
    (SubstitutionError, grpc.StatusCode.INTERNAL, lambda _: [_info("SUBSTITUTION_FAILED")]),
    (UnguardedUse, grpc.StatusCode.INTERNAL, lambda _: [_info("UNGUARDED_USE")]),
    (VerificationError, grpc.StatusCode.INTERNAL, lambda _: [_info("VERIFICATION_FAILED")]),
    (ClassifierError, grpc.StatusCode.INTERNAL, lambda _: [_info("CLASSIFIER_FAILED")]),
    (AuditError, grpc.StatusCode.INTERNAL, lambda _: [_info("DECISION_LOG_FAILED")]),
)


def to_wire(error: BaseException) -> WireError:
    """An exception as clients see it. What is not in the table reaches them only as "internal error"."""
    if isinstance(error, WireError):
        return error
    for kind, code, details in _TABLE:
        if isinstance(error, kind):
            return _wire_error(code, str(error), details(error))
    return _wire_error(grpc.StatusCode.INTERNAL, "internal error", [_info("INTERNAL")])


def _wire_error(code: grpc.StatusCode, message: str, details: list[Message]) -> WireError:
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        status.details.add().Pack(detail)
    return WireError(status.SerializeToString())
