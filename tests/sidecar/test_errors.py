"""Every refusal over a real socket: its status, its details, and no user text in it."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status.rpc_status import from_call

from guard.check import Checker
from guard.client import AsyncClient, ServerError
from guard.errors import ClassifierError, InvalidInput
from guard.types import Action, Method, Request
from server import errors
from server._pb.guard.v1 import guard_pb2 as pb
from server._pb.guard.v1.guard_pb2_grpc import GuardServiceStub
from server.local import LocalEngine

HARMLESS = 'a cyan sign that says "WELCOME"'
MARK = "xylophonist"
"""A word that must turn up nowhere but in replies."""


async def refused(address: str, message: pb.GenerateImageRequest) -> tuple[str, str, list[Any]]:
    """Code, detail and google.rpc details of a GenerateImage that must fail."""
    async with grpc.aio.insecure_channel(address) as channel:
        call = GuardServiceStub(channel).GenerateImage(message)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in call:
                pass
        error = caught.value
        packed = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
        from google.rpc import status_pb2

        details = []
        for any_ in status_pb2.Status.FromString(packed).details:
            name = any_.type_url.rpartition(".")[2]
            unpacked = getattr(error_details_pb2, name)()
            any_.Unpack(unpacked)
            details.append(unpacked)
        return error.code().name, error.details() or "", details


@pytest.mark.parametrize(
    ("field", "request_", "said"),
    [
        ("prompt", {"prompt": ""}, "must not be empty"),
        ("prompt", {"prompt": " \n"}, "must not be empty"),
        ("prompt", {"prompt": MARK * 1000}, "at most 10000 code points, got 11000"),
        ("steps", {"steps": 0}, "must be 1 to 100, got 0"),
        ("steps", {"steps": 101}, "must be 1 to 100, got 101"),
        ("width", {"width": 12}, "must be a multiple of 8 from 8 to 192, got 12"),
        ("width", {"width": 4096}, "must be 1 to 2048, got 4096"),
        ("height", {"height": 0}, "must be 1 to 2048, got 0"),
        ("pictures", {"pictures": 5}, "must be 1 to 4, got 5"),
        ("pictures", {"pictures": 0}, "must be 1 to 4, got 0"),
        ("seed", {"seed": 2**63}, "must be 0 to"),
        ("guidance_scale", {"guidance_scale": -1.0}, "must be 0 to 100, got -1"),
        ("guidance_scale", {"guidance_scale": float("nan")}, "must be 0 to 100, got nan"),
        ("method", {"method": 99}, "must be one of"),
    ],
)
def test_bad_input_names_the_field_the_limit_and_the_value(
    serving: Any, field: str, request_: dict[str, Any], said: str
) -> None:
    """INVALID_ARGUMENT with BadRequest; the prompt is never quoted."""

    async def body() -> tuple[str, str, list[Any]]:
        async with serving() as sidecar:
            message = pb.GenerateImageRequest(**{"prompt": f"a {MARK}", **request_})
            return await refused(sidecar.address, message)

    code, detail, details = asyncio.run(body())
    assert code == "INVALID_ARGUMENT"
    assert detail.startswith(f"{field}: ")
    assert said in detail
    assert MARK not in detail
    violation = details[0].field_violations[0]
    assert violation.field == field
    assert said in violation.description
    assert details[1].reason == "INVALID_INPUT"


@pytest.mark.parametrize(
    ("data", "field"),
    [(b"\x0a\x03a\xff\xfe", "prompt"), (b"\x0a\x01a\x12\x01\xff", "policy"), (b"\xff", "request")],
    ids=["prompt", "policy", "not-protobuf"],
)
def test_invalid_utf8_is_the_clients_mistake(serving: Any, data: bytes, field: str) -> None:
    """INVALID_ARGUMENT that names the field, not INTERNAL."""

    async def body() -> grpc.aio.AioRpcError:
        async with serving() as sidecar, grpc.aio.insecure_channel(sidecar.address) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary("/guard.v1.GuardService/CheckPrompt")(data)
            return caught.value

    error = asyncio.run(body())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (error.details() or "").startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        ({"model": "nope"}, "NOT_FOUND", "NOT_FOUND"),
        ({"policy": "nope"}, "NOT_FOUND", "NOT_FOUND"),
        ({"method": pb.METHOD_NONE}, "PERMISSION_DENIED", "UNGUARDED_NOT_ALLOWED"),
    ],
)
def test_what_the_server_does_not_have_or_do(
    serving: Any, request_: dict[str, Any], code: str, reason: str
) -> None:
    """The detail names the field; unknown names are told with the known ones."""

    async def body() -> tuple[str, str, list[Any]]:
        async with serving() as sidecar:
            message = pb.GenerateImageRequest(prompt="a cat", **request_)
            return await refused(sidecar.address, message)

    found, detail, details = asyncio.run(body())
    assert (found, details[-1].reason) == (code, reason)
    assert detail.startswith(f"{next(iter(request_))}: ")
    if code == "NOT_FOUND":
        assert "this server has: " in detail
        assert details[0].resource_name == "nope"


def test_unguarded_pictures_are_drawn_where_the_server_allows_them(serving: Any) -> None:
    """--allow-unguarded and METHOD_NONE together: the rung says unguarded."""

    async def body() -> Any:
        async with serving(allow_unguarded=True) as sidecar, AsyncClient(sidecar.address) as client:
            prompt = 'a red sign that says "IDIOT"'
            return await client.generate(Request(prompt=prompt, steps=2, method=Method.NONE))

    reply = asyncio.run(body())
    assert (str(reply.rung), str(reply.verification)) == ("unguarded", "not_verified")


def test_a_full_queue_refuses_at_once(serving: Any, engine: LocalEngine) -> None:
    """RESOURCE_EXHAUSTED with RetryInfo, long before there is a place."""

    async def body() -> tuple[float, tuple[str, str, list[Any]]]:
        async with serving() as sidecar, AsyncClient(sidecar.address) as client:
            # One that is drawn and two that wait: queue_limit is 2.
            requests = [Request(prompt=HARMLESS, steps=100) for _ in range(3)]
            running = [asyncio.create_task(client.generate(r)) for r in requests]
            while engine.load().queued < 2:
                await asyncio.sleep(0.01)
            began = time.perf_counter()
            found = await refused(sidecar.address, pb.GenerateImageRequest(prompt=HARMLESS))
            seconds = time.perf_counter() - began
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            while engine.load().in_flight or engine.load().queued:
                await asyncio.sleep(0.01)
            return seconds, found

    seconds, (code, detail, details) = asyncio.run(body())
    assert code == "RESOURCE_EXHAUSTED"
    assert "2 requests wait" in detail
    assert details[0].retry_delay.seconds == 1
    assert seconds < 1


class _Failing:
    """An engine that fails with a message that quotes the prompt, as libraries do."""

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def close(self) -> None:
        """The next test uses the engine."""

    async def generate(self, request: Request, model: str, policy: str) -> AsyncIterator[Any]:
        yield await self._engine.check(request.prompt, policy)
        raise ValueError(f"cannot draw {request.prompt}")


def test_the_unforeseen_reaches_the_client_only_as_internal(
    serving: Any, engine: LocalEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the type and the frames; nobody gets the message. The decision is recorded."""
    from server.logs import _Lines

    async def body() -> tuple[str, str, list[Any]]:
        async with serving(_Failing(engine)) as sidecar:
            message = pb.GenerateImageRequest(prompt=f'a sign that says "{MARK}"')
            return await refused(sidecar.address, message)

    with caplog.at_level(logging.INFO):
        code, detail, _ = asyncio.run(body())
    assert (code, detail) == ("INTERNAL", "internal error")
    lines = [_Lines().format(r) for r in caplog.records]
    failed = next(json.loads(x) for x in lines if "an RPC failed" in x)
    assert failed["error"]["type"] == "ValueError"
    assert any("test_errors.py" in frame for frame in failed["error"]["frames"])
    record = (tmp_path / "decisions.jsonl").read_text()
    assert json.loads(record)["outcome"] == "failed"
    assert MARK not in "".join(lines) + record


def test_a_decision_that_cannot_be_recorded_gives_no_picture(serving: Any) -> None:
    """A full disk is INTERNAL with the reason; neither the decision's check nor a picture gets out."""

    async def body() -> tuple[tuple[str, str, list[Any]], ServerError]:
        async with serving(decision_log="/dev/full") as sidecar:
            drawing = await refused(
                sidecar.address, pb.GenerateImageRequest(prompt=HARMLESS, steps=1)
            )
            async with AsyncClient(sidecar.address) as client:
                with pytest.raises(ServerError) as caught:
                    await client.check(HARMLESS)
            return drawing, caught.value

    (code, _, details), checking = asyncio.run(body())
    assert (code, details[0].reason) == ("INTERNAL", "DECISION_LOG_FAILED")
    assert (checking.code, checking.reason) == ("INTERNAL", "DECISION_LOG_FAILED")


class _Broken:
    """A classifier that always fails."""

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        raise ClassifierError("the classifier is down")


def test_a_failing_classifier_blocks_and_is_no_error(
    serving: Any, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status OK with the policy's on-error action."""
    broken = Checker(engine._checkers["default"].policy, _Broken())
    monkeypatch.setitem(engine._checkers, "default", broken)

    async def body() -> Any:
        async with serving() as sidecar, AsyncClient(sidecar.address) as client:
            return await client.generate(Request(prompt=HARMLESS))

    reply = asyncio.run(body())
    assert reply.blocked
    assert (reply.decision.action, reply.decision.reason) == (Action.BLOCK, "classifier_error")


def test_refusals_survive_pickling() -> None:
    """They cross the port between processes."""
    originals = [
        errors.refuse(InvalidInput("steps", "must be 1 to 2, got 3")),
        errors.refuse(errors.NotFound("model", "x", ("a", "b"))),
        errors.refuse(errors.QueueFull("full")),
    ]
    for refusal in originals:
        again = pickle.loads(pickle.dumps(refusal))
        assert (again.code, again.detail, again.trailing) == (
            refusal.code,
            refusal.detail,
            refusal.trailing,
        )
    for error in (InvalidInput("a", "b"), errors.NotFound("model", "x", ("a",))):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_synchronous_stub_reads_the_details_too(serving: Any) -> None:
    """grpc_status, the standard reader of error details, understands them."""

    async def body() -> Any:
        async with serving() as sidecar:

            def call() -> Any:
                with grpc.insecure_channel(sidecar.address) as channel:
                    try:
                        GuardServiceStub(channel).CheckPrompt(pb.CheckPromptRequest())
                    except grpc.RpcError as error:
                        return from_call(error)
                raise AssertionError("it must be refused")

            return await asyncio.to_thread(call)

    assert asyncio.run(body()).message == "prompt: must not be empty"
