"""What the clients have in common: channels, retries, and requests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from inkguard.errors import GuardError, InvalidInput
from inkguard.types import Request
from inkguard.wire.convert import enum_to_proto
from inkguard.wire.v1 import guard_pb2 as pb

__all__ = ["Tls", "channel_options", "credentials", "generate_request", "metadata"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """PEM files. `ca` None means the system's authorities; `certificate` and `key` are for mTLS."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


def credentials(tls: Tls) -> grpc.ChannelCredentials:
    """Raises GuardError that names the file that cannot be read."""
    data: dict[str, bytes | None] = {}
    for name in ("ca", "certificate", "key"):
        file: Path | None = getattr(tls, name)
        try:
            data[name] = file.read_bytes() if file is not None else None
        except OSError as error:
            raise GuardError(f"{file}: {error.strerror}") from None
    return grpc.ssl_channel_credentials(data["ca"], data["key"], data["certificate"])


def channel_options(attempts: int) -> list[tuple[str, Any]]:
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


def generate_request(
    request: Request, *, model: str, policy: str, random_seed: bool
) -> pb.GenerateImageRequest:
    if request.negative_prompt is not None:
        raise InvalidInput("negative_prompt", "a sidecar's requests have none")
    message = pb.GenerateImageRequest(
        prompt=request.prompt,
        model=model,
        policy=policy,
        steps=request.steps,
        guidance_scale=request.guidance_scale,
        width=request.width,
        height=request.height,
        pictures=request.pictures,
        method=enum_to_proto(request.method),
    )
    if not random_seed:
        message.seed = request.seed
    return message


def metadata(request_id: str | None) -> tuple[tuple[str, str], ...]:
    return (("x-request-id", request_id),) if request_id else ()
