"""Between protobuf messages and records, both ways. Pure: no limits, no defaults, no I/O."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from inkguard.errors import InvalidInput
from inkguard.picture import Picture
from inkguard.types import (
    Action,
    CheckResult,
    Decision,
    Finding,
    Method,
    PolicyRef,
    Progress,
    Request,
    Result,
    Rung,
    Severity,
    TextSpan,
    Verification,
)
from inkguard.wire.records import ModelInfo, PolicyInfo
from inkguard.wire.v1 import guard_pb2 as pb

__all__ = [
    "chunks",
    "decision_from_proto",
    "decision_to_proto",
    "enum_from_proto",
    "enum_to_proto",
    "event_to_proto",
    "method_from_proto",
    "model_from_proto",
    "model_to_proto",
    "policy_from_proto",
    "policy_status_to_proto",
    "policy_to_proto",
    "progress_from_proto",
    "request_from_proto",
    "request_to_proto",
    "result_from_proto",
    "result_to_proto",
    "timestamp",
]

CHUNK = 512 * 1024
"""Bytes of a picture in one message; the proto promises less than 1 MB."""

_E = TypeVar("_E", bound=Enum)
_PREFIXES: dict[type[Enum], str] = {
    Action: "ACTION",
    Severity: "SEVERITY",
    Method: "METHOD",
    Rung: "RUNG",
    Verification: "VERIFICATION",
}


def enum_to_proto(member: Enum) -> Any:
    """The number of an enum's member in the proto."""
    return getattr(pb, f"{_PREFIXES[type(member)]}_{member.name}")


def enum_from_proto(kind: type[_E], number: int) -> _E:
    """The member for a number; raises KeyError for one that has none."""
    return {enum_to_proto(member): member for member in kind}[number]


def method_from_proto(number: int) -> Method:
    """The method of a request, METHOD_UNSPECIFIED being substitution; raises InvalidInput."""
    if number == pb.METHOD_UNSPECIFIED:
        return Method.SUBSTITUTE
    try:
        return enum_from_proto(Method, number)
    except KeyError:
        raise InvalidInput(
            "method", f"must be one of {list(pb.Method.values())}, got {number}"
        ) from None


def decision_to_proto(decision: Decision) -> pb.Decision:
    return pb.Decision(
        action=enum_to_proto(decision.action),
        spans=[
            pb.TextSpan(start=s.start, end=s.end, text=s.text, cue=s.cue) for s in decision.spans
        ],
        findings=[
            pb.Finding(
                start=f.start,
                end=f.end,
                text=f.text,
                source=f.source,
                rule=f.rule,
                category=f.category,
                severity=enum_to_proto(f.severity),
                score=f.score,
                action=enum_to_proto(f.action),
            )
            for f in decision.findings
        ],
        donor_prompt=decision.donor_prompt,
        policy=pb.PolicyRef(
            name=decision.policy.name,
            version=decision.policy.version,
            digest=decision.policy.digest,
        ),
        reason=decision.reason,
    )


def decision_from_proto(message: pb.Decision) -> Decision:
    return Decision(
        action=enum_from_proto(Action, message.action),
        policy=PolicyRef(
            name=message.policy.name,
            version=message.policy.version,
            digest=message.policy.digest,
        ),
        spans=tuple(
            TextSpan(start=s.start, end=s.end, text=s.text, cue=s.cue) for s in message.spans
        ),
        findings=tuple(
            Finding(
                start=f.start,
                end=f.end,
                text=f.text,
                source=f.source,
                rule=f.rule,
                category=f.category,
                severity=enum_from_proto(Severity, f.severity),
                score=f.score,
                action=enum_from_proto(Action, f.action),
            )
            for f in message.findings
        ),
        donor_prompt=message.donor_prompt if message.HasField("donor_prompt") else None,
        reason=message.reason,
    )


_OPTIONAL = ("seed", "steps", "guidance_scale", "width", "height", "pictures")
"""Fields of a request whose absence means the default of `Request`, or of the server for the seed."""


def request_to_proto(
    request: Request, *, model: str, policy: str, random_seed: bool
) -> pb.GenerateImageRequest:
    """With `random_seed` the seed is left out, and the server chooses one."""
    values = {name: getattr(request, name) for name in _OPTIONAL}
    if random_seed:
        del values["seed"]
    if request.negative_prompt is not None:
        raise InvalidInput("negative_prompt", "the requests of a sidecar have none")
    return pb.GenerateImageRequest(
        prompt=request.prompt,
        model=model,
        policy=policy,
        method=enum_to_proto(request.method),
        **values,
    )


def request_from_proto(message: pb.GenerateImageRequest, seed: int) -> Request:
    """`seed` is for a request that has none. Raises InvalidInput for an unknown method."""
    values = {name: getattr(message, name) for name in _OPTIONAL if message.HasField(name)}
    return Request(
        prompt=message.prompt, method=method_from_proto(message.method), **{"seed": seed, **values}
    )


def event_to_proto(event: CheckResult | Progress) -> pb.GenerateImageEvent:
    if isinstance(event, CheckResult):
        return pb.GenerateImageEvent(decision=decision_to_proto(event.decision))
    progress = pb.Progress(step=event.step, steps=event.steps, attempt=event.attempt)
    return pb.GenerateImageEvent(progress=progress)


def progress_from_proto(message: pb.Progress) -> Progress:
    return Progress(step=message.step, steps=message.steps, attempt=message.attempt)


def chunks(pngs: Iterable[bytes]) -> Iterator[pb.GenerateImageEvent]:
    """The pictures' PNG files in pieces, in order."""
    for number, png in enumerate(pngs):
        for start in range(0, len(png), CHUNK):
            yield pb.GenerateImageEvent(
                chunk=pb.PictureChunk(
                    picture=number,
                    data=png[start : start + CHUNK],
                    last=start + CHUNK >= len(png),
                )
            )


def result_to_proto(result: Result) -> pb.Summary:
    """All but the pictures, which `chunks` sends."""
    return pb.Summary(
        seed=result.seed,
        pictures=len(result.pictures),
        method=enum_to_proto(result.method),
        rung=enum_to_proto(result.rung),
        verification=enum_to_proto(result.verification),
        sites=result.sites,
        timings=dict(result.timings),
        decision=decision_to_proto(result.decision),
        model=result.model,
    )


def result_from_proto(message: pb.Summary, pngs: Iterable[bytes]) -> Result:
    return Result(
        decision=decision_from_proto(message.decision),
        pictures=tuple(Picture(png=png) for png in pngs),
        seed=message.seed,
        method=enum_from_proto(Method, message.method),
        rung=enum_from_proto(Rung, message.rung),
        verification=enum_from_proto(Verification, message.verification),
        sites=tuple(message.sites),
        timings=dict(message.timings),
        model=message.model,
    )


def model_to_proto(info: ModelInfo) -> pb.Model:
    return pb.Model(
        name=info.name,
        default=info.default,
        pipeline=info.pipeline,
        denoiser=info.denoiser,
        sites=info.sites,
        manifest_digest=info.manifest_digest,
    )


def model_from_proto(message: pb.Model) -> ModelInfo:
    return ModelInfo(
        name=message.name,
        default=message.default,
        pipeline=message.pipeline,
        denoiser=message.denoiser,
        sites=tuple(message.sites),
        manifest_digest=message.manifest_digest,
    )


def policy_to_proto(info: PolicyInfo) -> pb.Policy:
    return pb.Policy(
        name=info.name,
        default=info.default,
        version=info.version,
        digest=info.digest,
        categories=info.categories,
    )


def policy_from_proto(message: pb.Policy) -> PolicyInfo:
    """Without when it was loaded, which `GetStatus` says."""
    return PolicyInfo(
        name=message.name,
        default=message.default,
        version=message.version,
        digest=message.digest,
        categories=tuple(message.categories),
    )


def policy_status_to_proto(info: PolicyInfo) -> pb.PolicyStatus:
    return pb.PolicyStatus(
        name=info.name,
        version=info.version,
        digest=info.digest,
        loaded=timestamp(info.loaded),
        error=info.error,
        failed=timestamp(info.failed) if info.error else None,
    )


def timestamp(seconds: float) -> Timestamp:
    """A moment from seconds since 1970."""
    moment = Timestamp()
    moment.FromDatetime(datetime.datetime.fromtimestamp(seconds, datetime.UTC))
    return moment
