"""What the clients make of answers and errors, without a server."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from inkguard.client import CallError
from inkguard.client.calls import Drawing, call_error
from inkguard.wire.v1 import guard_pb2 as pb

REFUSED = "failed to connect to all addresses; last error: connect: Connection refused"


class Failed:
    """A gRPC error as both kinds of channel raise it."""

    def __init__(self, code: grpc.StatusCode, details: str, status: bytes | None = None) -> None:
        self._code, self._details, self._status = code, details, status

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Any:
        return (("grpc-status-details-bin", self._status),) if self._status is not None else ()


@pytest.mark.parametrize(
    ("detail", "tls", "hint"),
    [
        ("Socket closed", False, "The server may want TLS"),
        ("recvmsg:Connection reset by peer", False, "The server may want TLS"),
        (
            "Ssl handshake failed: SSL_ERROR_SSL: WRONG_VERSION_NUMBER",
            True,
            "TLS did not come about",
        ),
        ("CERTIFICATE_VERIFY_FAILED: unable to get issuer", True, "TLS did not come about"),
        (REFUSED, False, ""),
        (REFUSED, True, ""),
    ],
)
def test_a_connection_that_fails_for_tls_says_so(detail: str, tls: bool, hint: str) -> None:
    """gRPC's own words name no cause; where nobody listens, TLS is none."""
    error = call_error(Failed(grpc.StatusCode.UNAVAILABLE, detail), tls=tls)
    assert error.detail.startswith(detail)
    assert hint in error.detail
    assert ("TLS" in error.detail) is bool(hint)


def test_a_server_that_gives_a_reason_is_believed() -> None:
    """A drain closes connections too, and says so."""
    status = status_pb2.Status(code=grpc.StatusCode.UNAVAILABLE.value[0], message="closed")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="STOPPING"))
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(1500)
    status.details.add().Pack(retry)
    failed = Failed(grpc.StatusCode.UNAVAILABLE, "closed", status.SerializeToString())
    error = call_error(failed, tls=False)
    assert (error.detail, error.reason, error.retry_after) == ("closed", "STOPPING", 1.5)


@pytest.mark.parametrize(
    "status",
    [b"\xff", status_pb2.Status(code=5, message="other").SerializeToString()],
    ids=["undecodable", "another status"],
)
def test_details_that_are_not_the_errors_own_are_left_out(status: bytes) -> None:
    """Something between client and server made them; the error itself still arrives."""
    error = call_error(Failed(grpc.StatusCode.INTERNAL, "failed", status), tls=False)
    assert (error.code, error.detail, error.reason) == ("INTERNAL", "failed", "")


def test_a_stream_that_ends_too_early_is_an_error() -> None:
    """Without its summary, or with fewer pictures than that says: no half result."""
    chunk = pb.GenerateImageEvent(chunk=pb.PictureChunk(picture=0, data=b"png", last=True))
    summary = pb.GenerateImageEvent(summary=pb.Summary(pictures=2))
    for events in ([], [chunk], [chunk, summary]):
        drawing = Drawing(None, None)
        for event in events:
            drawing.add(event)
        with pytest.raises(CallError, match="DATA_LOSS"):
            drawing.result()
