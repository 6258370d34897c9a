"""The shipped clients against a real server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inkguard.client import AsyncClient, CallError, Client, Progress, Tls
from inkguard.errors import GuardError
from inkguard.types import Action, Method, Request

if TYPE_CHECKING:
    from tests.server.conftest import Live

TOXIC = 'a red sign that says "IDIOT"'


class Both:
    """One call, made by the blocking client or by the one for asyncio in the servers' loop."""

    def __init__(self, live: Live, asynchronous: bool) -> None:
        self._live, self._asynchronous = live, asynchronous

    def __call__(self, name: str, *args: Any, **options: Any) -> Any:
        address = self._live.sidecar.address
        if not self._asynchronous:
            with Client(address) as client:
                return getattr(client, name)(*args, **options)

        async def call() -> Any:
            async with AsyncClient(address) as client:
                return await getattr(client, name)(*args, **options)

        return self._live.loop.run(call())


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def call(live: Live, request: pytest.FixtureRequest) -> Both:
    return Both(live, request.param)


def test_both_clients_give_the_same(live: Live) -> None:
    """Every method, but for what changes with time."""
    sync, other = Both(live, False), Both(live, True)
    request = Request(prompt="a red circle", seed=4, steps=2, pictures=2)
    replies = [replace(c("generate", request), timings={}) for c in (sync, other)]
    assert replies[0] == replies[1]
    assert [i.size for i in replies[0].images] == [i.size for i in replies[1].images]
    for name, args in (("check", (TOXIC,)), ("models", ()), ("policies", ())):
        assert sync(name, *args) == other(name, *args)
    assert sync("status").started == other("status").started


def test_a_check_is_a_decision_record(call: Both, live: Live) -> None:
    """The same record as in process, with the client's own request id in the log."""
    decision = call("check", TOXIC, request_id=f"client-{call._asynchronous}")
    assert decision == live.sidecar.engine.checkers["default"].check(TOXIC)
    assert live.record(f"client-{call._asynchronous}")["rpc"] == "CheckPrompt"
    assert call("check", TOXIC, policy="strict").action is Action.BLOCK


def test_progress_and_the_decision_are_told_as_they_come(call: Both) -> None:
    """The decision first, then every step."""
    told: list[Any] = []
    request = Request(prompt="a red circle", steps=3)
    reply = call("generate", request, on_decision=told.append, on_progress=told.append)
    assert told == [reply.decision, *(Progress(step=n, steps=3, attempt=1) for n in (1, 2, 3))]


def test_a_blocked_reply_has_no_picture(call: Both) -> None:
    """It is an answer, not an error."""
    reply = call("generate", Request(prompt=TOXIC, steps=2), policy="strict")
    assert reply.blocked
    assert reply.images == ()
    assert reply.decision.action is Action.BLOCK


def test_a_random_seed_is_the_servers(call: Both) -> None:
    """Two replies tell two seeds; otherwise the request's own seed is used, 0 included."""
    request = Request(prompt="a red circle", steps=1)
    seeds = {call("generate", request, random_seed=True).seed for _ in range(2)}
    assert len(seeds) == 2
    assert call("generate", request).seed == 0


def test_an_exception_from_a_callback_stops_the_drawing(
    call: Both, live: Live, gate: Callable[..., Any], until: Callable[..., None]
) -> None:
    """It reaches the caller, and the server ends within a step."""
    counted = gate()

    def stop(progress: Progress) -> None:
        raise (
            KeyboardInterrupt
            if progress.step == 3 and not call._asynchronous
            else ZeroDivisionError
        )

    with pytest.raises((KeyboardInterrupt, ZeroDivisionError)):
        call("generate", Request(prompt="a red circle", steps=100), on_progress=stop)
    until(lambda: live.sidecar.engine.queue_status().in_flight == 0)
    assert counted.count < 50


@pytest.mark.parametrize(
    ("request_", "options", "code", "reason", "field"),
    [
        (Request(prompt=" "), {}, "INVALID_ARGUMENT", "INVALID_INPUT", "prompt"),
        (Request(prompt="a", steps=101), {}, "INVALID_ARGUMENT", "INVALID_INPUT", "steps"),
        (Request(prompt="a"), {"model": "no"}, "NOT_FOUND", "NOT_FOUND", None),
        (
            Request(prompt="a", method=Method.NONE),
            {},
            "PERMISSION_DENIED",
            "UNGUARDED_NOT_ALLOWED",
            None,
        ),
    ],
    ids=["prompt", "steps", "model", "method"],
)
def test_an_error_tells_its_code_reason_and_field(
    call: Both,
    request_: Request,
    options: dict[str, str],
    code: str,
    reason: str,
    field: str | None,
) -> None:
    """All of them are GuardErrors with the server's own words."""
    with pytest.raises(CallError) as error:
        call("generate", request_, **options)
    assert isinstance(error.value, GuardError)
    assert (error.value.code, error.value.reason, error.value.field) == (code, reason, field)
    assert str(error.value) == f"{code}: {error.value.detail}"


def test_a_full_queue_says_when_to_come_back(
    call: Both, live: Live, gate: Callable[..., Any], until: Callable[..., None]
) -> None:
    """RESOURCE_EXHAUSTED is not tried again by the client; `retry_after` is the server's."""
    held = gate(1)
    streams = [live.generate() for _ in range(3)]
    until(lambda: live.sidecar.engine.queue_status().queued == 2)
    with pytest.raises(CallError) as error:
        call("generate", Request(prompt="a cat", steps=1))
    assert (error.value.code, error.value.retry_after) == ("RESOURCE_EXHAUSTED", 1.0)
    held.open()
    assert all(list(s)[-1].HasField("summary") for s in streams)


def test_a_deadline_ends_a_call(call: Both, gate: Callable[..., Any]) -> None:
    """DEADLINE_EXCEEDED after the call's own timeout, while the step still runs."""
    held = gate(1)  # the step ends when the test does, so only the deadline can end the call
    with pytest.raises(CallError) as error:
        call("generate", Request(prompt="a cat", steps=5), timeout=0.3)
    assert error.value.code == "DEADLINE_EXCEEDED"
    assert held.count <= 1


def test_a_server_that_is_not_there_is_unavailable() -> None:
    """And not a deadline that ran out: whoever calls need not wait for that."""
    with Client("127.0.0.1:1", attempts=1) as client, pytest.raises(CallError) as error:
        client.check("a cat")
    assert error.value.code == "UNAVAILABLE"
    assert "TLS" not in str(error.value)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_call_outlasts_a_server_that_starts_late(
    serve: Callable[..., Live], loop: Any, asynchronous: bool
) -> None:
    """UNAVAILABLE is tried again until the server is there."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
    answers: list[Any] = []

    async def check() -> Any:
        async with AsyncClient(address) as client:
            return await client.check(TOXIC)

    def begin() -> None:
        if asynchronous:
            answers.append(loop.run(check()))
        else:
            with Client(address) as client:
                answers.append(client.check(TOXIC))

    thread = threading.Thread(target=begin)
    thread.start()
    time.sleep(0.15)
    serve(listen=address)
    thread.join(30)
    assert [a.action for a in answers] == [Action.SUBSTITUTE]


def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Before any connection is made."""
    with pytest.raises(GuardError, match=r"no\.pem"):
        Client("127.0.0.1:1", tls=Tls(ca=tmp_path / "no.pem"))
