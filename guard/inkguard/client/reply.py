"""What comes back over the wire: replies, progress, and errors."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import grpc
from google.rpc import error_details_pb2, status_pb2
from PIL import Image

from inkguard.errors import GuardError
from inkguard.frozen import freeze
from inkguard.types import Decision, Method, Rung, Verification
from inkguard.wire.convert import decision_from_proto, enum_from_proto
from inkguard.wire.v1 import guard_pb2 as pb

__all__ = ["Collector", "Progress", "Reply", "ServerError", "server_error"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Denoising steps done, of how many; `attempt` counts from 1."""

    step: int
    steps: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The end of a GenerateImage. `pngs` is empty exactly when the request was blocked."""

    decision: Decision
    pngs: tuple[bytes, ...] = field(repr=False)
    seed: int
    model: str
    method: Method
    rung: Rung
    verification: Verification
    sites: tuple[int, ...]
    timings: Mapping[str, float]

    def __post_init__(self) -> None:
        freeze(self)

    @property
    def blocked(self) -> bool:
        return not self.pngs

    @property
    def images(self) -> tuple[Image.Image, ...]:
        """The pictures, decoded."""
        return tuple(Image.open(io.BytesIO(png)) for png in self.pngs)


class ServerError(GuardError):
    """The server refused or failed, or cannot be reached.

    `code` is the gRPC status' name, `reason` the server's reason code (empty where the server did
    not say), `field` the field at fault of an INVALID_ARGUMENT, `retry_after` seconds.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        reason: str = "",
        field: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail, self.reason = code, detail, reason
        self.field, self.retry_after = field, retry_after


def server_error(
    code: grpc.StatusCode, detail: str | None, trailing: Iterable[tuple[str, str | bytes]]
) -> ServerError:
    """The error for a status, with what its google.rpc details say."""
    reason, field_name, retry_after = "", None, None
    packed = dict(trailing).get("grpc-status-details-bin", b"")
    status = status_pb2.Status.FromString(packed if isinstance(packed, bytes) else b"")
    for detail_any in status.details:
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if detail_any.Unpack(info):
            reason = info.reason
        elif detail_any.Unpack(bad) and bad.field_violations:
            field_name = bad.field_violations[0].field
        elif detail_any.Unpack(retry):
            retry_after = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    return ServerError(
        code.name, detail or "", reason=reason, field=field_name, retry_after=retry_after
    )


class Collector:
    """Puts a stream's events together."""

    def __init__(self) -> None:
        self.decision: Decision | None = None
        self._pngs: dict[int, bytearray] = {}
        self._summary: pb.Summary | None = None

    def add(self, event: pb.GenerateImageEvent) -> Progress | None:
        """Take the next event; returns the progress that it tells, where it does."""
        kind = event.WhichOneof("event")
        if kind == "decision":
            self.decision = decision_from_proto(event.decision)
        elif kind == "chunk":
            self._pngs.setdefault(event.chunk.picture, bytearray()).extend(event.chunk.data)
        elif kind == "summary":
            self._summary = event.summary
        elif kind == "progress":
            return Progress(event.progress.step, event.progress.steps, event.progress.attempt)
        return None

    def reply(self) -> Reply:
        """The whole; raises ServerError for a stream that ended too early."""
        summary = self._summary
        if summary is None or summary.pictures != len(self._pngs):
            raise ServerError("DATA_LOSS", "the stream ended without all of its pictures")
        return Reply(
            decision=decision_from_proto(summary.decision),
            pngs=tuple(bytes(self._pngs[n]) for n in sorted(self._pngs)),
            seed=summary.seed,
            model=summary.model,
            method=enum_from_proto(Method, summary.method),
            rung=enum_from_proto(Rung, summary.rung),
            verification=enum_from_proto(Verification, summary.verification),
            sites=tuple(summary.sites),
            timings=dict(summary.timings),
        )
