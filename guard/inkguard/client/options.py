"""How the clients connect: TLS, retries, deadlines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from inkguard.client.calls import call_error
from inkguard.errors import CallError, GuardError
from inkguard.wire.v1.guard_pb2_grpc import GuardServiceStub

__all__ = ["Connection", "Tls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """PEM files. `ca` None means the system's authorities; `certificate` and `key` are for mTLS."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class Connection:
    """A channel to one sidecar at `target` (HOST:PORT), made by `grpc` or by `grpc.aio`.

    Raises GuardError that names a file of `tls` that cannot be read.
    """

    def __init__(
        self, library: Any, target: str, tls: Tls | None, timeout: float | None, attempts: int
    ) -> None:
        options = _channel_options(attempts)
        if tls is None:
            self.channel = library.insecure_channel(target, options)
        else:
            self.channel = library.secure_channel(target, _credentials(tls), options)
        self.stub: Any = GuardServiceStub(self.channel)
        self._timeout, self._tls = timeout, tls is not None

    def options(self, timeout: float | None, request_id: str | None) -> dict[str, Any]:
        """The options of one call, whose own timeout wins over the client's."""
        metadata = (("x-request-id", request_id),) if request_id else ()
        return {"timeout": timeout or self._timeout, "metadata": metadata}

    def error(self, error: grpc.RpcError) -> CallError:
        return call_error(error, tls=self._tls)


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    data: dict[str, bytes | None] = {}
    for name in ("ca", "certificate", "key"):
        file: Path | None = getattr(tls, name)
        try:
            data[name] = file.read_bytes() if file is not None else None
        except OSError as error:
            raise GuardError(f"{file}: {error.strerror}") from None
    return grpc.ssl_channel_credentials(data["ca"], data["key"], data["certificate"])


def _channel_options(attempts: int) -> list[tuple[str, Any]]:
    """gRPC's own retries on UNAVAILABLE; a stream is tried again only before its first message.

    gRPC makes at most five attempts, which these waits spread over some seven seconds.
    """
    policy = {
        "maxAttempts": attempts,
        "initialBackoff": "0.2s",
        "maxBackoff": "4s",
        "backoffMultiplier": 3,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    config = {"methodConfig": [{"name": [{}], "retryPolicy": policy}]}
    if attempts < 2:
        return [("grpc.enable_retries", 0)]
    return [
        ("grpc.enable_retries", 1),
        ("grpc.service_config", json.dumps(config)),
        # Else a channel waits a second before it connects again, longer than the first retries take.
        ("grpc.initial_reconnect_backoff_ms", 100),
    ]
