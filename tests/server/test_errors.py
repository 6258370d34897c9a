"""Refusals and failures: their status, their google.rpc details, and what they do not tell."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2 as details_pb2
from grpc_status import rpc_status

from inkguard import errors as guard_errors
from inkguard.check.checker import Checker
from inkguard.errors import ClassifierError, GuardError, InvalidInput
from inkguard.types import Action, Decision, PolicyRef
from inkguard.wire.v1 import guard_pb2 as pb
from inkguard_server import errors as server_errors
from inkguard_server.engines.local import LocalEngine
from inkguard_server.errors import NotFound, WireError, to_wire

if TYPE_CHECKING:
    from tests.server.conftest import Live

TOXIC = 'a red sign that says "IDIOT"'
MARK = "zebrafinch"
"""A word that stands in prompts here and must stand in no error, log or metric."""


def refused(call: Callable[[], Any]) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value


def details(error: Any) -> dict[str, Any]:
    """The google.rpc messages of an error by kind, as a standard client reads them."""
    status = rpc_status.from_call(error)
    assert status is not None
    assert (status.code, status.message) == (error.code().value[0], error.details())
    found = {}
    for packed in status.details:
        kind = packed.type_url.rpartition(".")[2]
        message = getattr(details_pb2, kind)()
        assert packed.Unpack(message)
        found[kind] = message
    return found


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("prompt", "", "must not be empty"),
        ("prompt", " \t\n\u3000", "must not be empty"),
        ("prompt", f"{MARK} " * 1000, "at most 10000 code points, got 11000"),
        ("steps", 0, "must be 1 to 100, got 0"),
        ("steps", 101, "must be 1 to 100, got 101"),
        ("steps", 2**32 - 1, "got 4294967295"),
        ("width", 0, "must be 1 to 2048, got 0"),
        ("width", 12, "must be a multiple of 8"),
        ("width", 200, "must be a multiple of 8 from 8 to 192, got 200"),
        ("width", 4096, "must be 1 to 2048, got 4096"),
        ("height", 20, "must be a multiple of 8"),
        ("height", 2**32 - 1, "must be 1 to 2048"),
        ("pictures", 0, "must be 1 to 4, got 0"),
        ("pictures", 5, "must be 1 to 4, got 5"),
        ("seed", 2**63, "must be 0 to 2**63"),
        ("seed", 2**63 - 16, "must be 0 to 2**63"),
        ("seed", 2**64 - 1, "must be 0 to 2**63"),
        ("guidance_scale", -0.5, "must be 0 to 100, got -0.5"),
        ("guidance_scale", 101.0, "must be 0 to 100"),
        ("guidance_scale", float("nan"), "must be 0 to 100, got nan"),
        ("guidance_scale", float("inf"), "must be 0 to 100, got inf"),
        ("method", 99, "must be one of"),
    ],
)
def test_a_field_out_of_bounds_is_named(live: Live, field: str, value: Any, said: str) -> None:
    """INVALID_ARGUMENT with BadRequest: the field, the limit and the value, and never the prompt."""
    error = refused(lambda: list(live.generate(**{"prompt": f"a {MARK}", field: value})))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    found = details(error)
    (violation,) = found["BadRequest"].field_violations
    assert violation.field == field
    assert said in violation.description
    assert error.details() == f"{field}: {violation.description}"
    assert (found["ErrorInfo"].reason, found["ErrorInfo"].domain) == ("INVALID_INPUT", "inkguard")
    assert MARK not in str(rpc_status.from_call(error))
    assert live.sidecar.engine.queue_status().queued == 0


@pytest.mark.parametrize("prompt", ["", "  ", "x" * 10_001], ids=["empty", "blank", "long"])
def test_a_check_has_the_same_limits(live: Live, prompt: str) -> None:
    """The longest prompt that is allowed is checked."""
    error = refused(lambda: live.stub.CheckPrompt(pb.CheckPromptRequest(prompt=prompt)))
    assert details(error)["BadRequest"].field_violations[0].field == "prompt"
    assert live.stub.CheckPrompt(pb.CheckPromptRequest(prompt="x" * 10_000)).decision


@pytest.mark.parametrize("rpc", ["CheckPrompt", "GenerateImage"])
@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"\x0a\x03ab\xff", "prompt"),
        (b"\x0a\x01a\x12\x02\xc3\x28", "second"),
        (b"\xff\xff", "request"),
        (b"\x0a\x7fshort", "request"),
    ],
    ids=["prompt", "second", "no-message", "truncated"],
)
def test_a_request_that_cannot_be_decoded_is_the_clients_mistake(
    live: Live, rpc: str, data: bytes, field: str
) -> None:
    """INVALID_ARGUMENT, and the field that is not UTF-8 is named."""
    path = f"/guard.v1.GuardService/{rpc}"
    kind = live.channel.unary_stream if rpc == "GenerateImage" else live.channel.unary_unary
    call = kind(path, request_serializer=None, response_deserializer=None)
    error = refused(lambda: list(call(data)))
    second = "model" if rpc == "GenerateImage" else "policy"
    wanted = second if field == "second" else field
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(error)["BadRequest"].field_violations[0].field == wanted


@pytest.mark.parametrize("field", ["model", "policy"])
def test_a_name_that_is_not_known_is_not_found(live: Live, field: str) -> None:
    """ResourceInfo tells which, and the detail what there is; a long name is cut."""
    error = refused(lambda: list(live.generate(**{field: "n" * 500})))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    resource = details(error)["ResourceInfo"]
    assert (resource.resource_type, resource.resource_name) == (field, "n" * 64)
    known = "sd3-tiny" if field == "model" else "default, strict, unread"
    assert error.details().endswith(f"this server has: {known}")


def test_unguarded_drawing_must_be_allowed(serve: Callable[..., Live], live: Live) -> None:
    """PERMISSION_DENIED by default; where it is allowed the summary tells that nothing was read."""
    error = refused(lambda: list(live.generate(method=pb.METHOD_NONE)))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert details(error)["ErrorInfo"].reason == "UNGUARDED_NOT_ALLOWED"
    events = list(serve(allow_unguarded=True).generate(TOXIC, method=pb.METHOD_NONE))
    assert events[-1].summary.rung == pb.RUNG_UNGUARDED
    assert events[-1].summary.verification == pb.VERIFICATION_NOT_VERIFIED
    blocked = serve(allow_unguarded=True).generate(TOXIC, method=pb.METHOD_NONE, policy="strict")
    assert list(blocked)[-1].summary.rung == pb.RUNG_BLOCK


def test_a_full_queue_refuses_at_once(
    live: Live, gate: Callable[..., Any], until: Callable[..., None]
) -> None:
    """RESOURCE_EXHAUSTED with RetryInfo, before any decision; those in the queue are unharmed."""
    held = gate(1)
    streams = [live.generate(seed=n) for n in range(3)]
    until(lambda: live.sidecar.engine.queue_status().queued == 2)
    assert held.reached.wait(60)
    error = refused(lambda: next(live.generate()))  # nothing in the queue moves meanwhile
    assert held.count == 1
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    found = details(error)
    assert found["RetryInfo"].retry_delay.seconds >= 1
    assert found["ErrorInfo"].reason == "QUEUE_FULL"
    held.open()
    assert [list(s)[-1].summary.seed for s in streams] == [0, 1, 2]


@pytest.mark.parametrize("where", ["check", "draw"])
def test_what_nobody_foresaw_is_an_internal_error(
    serve: Callable[..., Live], kept: Any, logs: io.StringIO, where: str
) -> None:
    """The exception quotes the prompt; client, log, records and metrics do not."""

    async def check(prompt: str, policy: str) -> Any:
        raise RuntimeError(f"cannot check {prompt}")

    async def generate(request: Any, model: str, policy: str) -> Any:
        yield await kept._engine.check(request.prompt, policy)
        raise RuntimeError(f"cannot draw {request.prompt}")

    kept.check, kept.generate = check, generate
    live = serve(metrics="127.0.0.1:0")
    prompt = f'a sign that says "{MARK}"'
    if where == "check":
        error = refused(lambda: live.stub.CheckPrompt(pb.CheckPromptRequest(prompt=prompt)))
    else:
        error = refused(lambda: list(live.generate(prompt)))
        assert [r["outcome"] for r in live.records()] == ["failed"]
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "internal error")
    assert details(error)["ErrorInfo"].reason == "INTERNAL"
    assert "RuntimeError" in logs.getvalue()
    assert "test_errors.py" in logs.getvalue(), "the frames are told"
    for told in (logs.getvalue(), live.log.read_text(), str(live.samples()), str(error)):
        assert MARK not in told


def test_no_picture_without_a_record(serve: Callable[..., Live]) -> None:
    """A decision log that is full: INTERNAL, and neither a chunk nor a summary was sent."""
    live = serve(decision_log="/dev/full")
    error = refused(lambda: live.stub.CheckPrompt(pb.CheckPromptRequest(prompt="a cat")))
    assert error.code() is grpc.StatusCode.INTERNAL
    for fields in ({}, {"prompt": TOXIC, "policy": "strict"}):
        stream, seen = live.generate(**fields), []
        error = refused(lambda s=stream, seen=seen: [seen.append(e) for e in s])
        assert error.code() is grpc.StatusCode.INTERNAL
        assert details(error)["ErrorInfo"].reason == "DECISION_LOG_FAILED"
        assert {e.WhichOneof("event") for e in seen} <= {"decision", "progress"}


class Broken:
    """A classifier that fails, quoting what it read."""

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        raise ClassifierError(f"cannot read {texts}")


def test_a_classifier_that_fails_is_the_policys_to_decide(
    live: Live, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status OK, and the on-error action of the shipped policy: block."""
    policy = engine.checkers["default"].policy
    monkeypatch.setitem(engine.checkers, "default", Checker(policy, Broken()))
    reply = live.stub.CheckPrompt(pb.CheckPromptRequest(prompt=f'a sign that says "{MARK}"'))
    assert reply.decision.action == pb.ACTION_BLOCK
    assert reply.decision.reason == "classifier_error"
    events = list(live.generate(f'a sign that says "{MARK}"'))
    assert [e.WhichOneof("event") for e in events] == ["decision", "summary"]
    assert events[1].summary.pictures == 0


MADE = [
    InvalidInput("steps", "must be 1 to 2, got 3"),
    NotFound("model", "x", ("a", "b")),
    guard_errors.CallError("UNAVAILABLE", "said", retry_after=1.0),
    guard_errors.MissingExtra("draw", "drawing needs torch"),
    guard_errors.PolicyError("a.yaml:1:1", "said", ("a.yaml:2:1", "and more")),
    guard_errors.Blocked(
        Decision(action=Action.BLOCK, policy=PolicyRef(name="p", version="1"), reason="findings")
    ),
]
OWN = MADE + [
    kind("said")
    for module in (guard_errors, server_errors)
    for kind in vars(module).values()
    if isinstance(kind, type)
    and issubclass(kind, GuardError)
    and kind not in {type(error) for error in MADE}
]
UNFORESEEN = ("GuardError", "PolicyError", "ModelError", "ManifestError", "MissingExtra")
UNFORESEEN += ("Blocked", "CallError", "MeasureError")
"""These end a server before it serves, or are an answer."""


@pytest.mark.parametrize("error", OWN, ids=lambda e: type(e).__name__)
def test_every_exception_of_ours_has_a_refusal_that_can_be_pickled(error: Exception) -> None:
    """Its own status and reason; what can not come up in a call is an internal error."""
    refusal = to_wire(error)
    again = pickle.loads(pickle.dumps(refusal))
    assert isinstance(again, WireError)
    assert again.status == refusal.status
    assert again.status.code == grpc.StatusCode[refusal.code].value[0]
    assert to_wire(refusal) is refusal
    assert {d.TypeName() for d in again.status.details} >= {"google.rpc.ErrorInfo"}
    assert (str(refusal) == "internal error") is (type(error).__name__ in UNFORESEEN)


@pytest.mark.parametrize("error", MADE[:5], ids=lambda e: type(e).__name__)
def test_exceptions_with_fields_survive_pickling(error: Exception) -> None:
    """They come from an engine in another process."""
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), vars(again)) == (str(error), vars(error))
