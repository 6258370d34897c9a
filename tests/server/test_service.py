"""The unary calls over a real socket with the generated stub."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from inkguard.wire.v1 import guard_pb2 as pb

if TYPE_CHECKING:
    from tests.server.conftest import Live

TOXIC = 'a red sign that says "IDIOT"'


@pytest.mark.parametrize("before", ["", "🎈👩‍🚀 ", "é\u0301 "], ids=["ascii", "emoji", "accents"])
def test_a_check_answers_with_findings_by_code_point(live: Live, before: str) -> None:
    """Every offset counts code points of the prompt as sent, whatever stands before the word."""
    prompt = before + TOXIC
    decision = live.stub.CheckPrompt(pb.CheckPromptRequest(prompt=prompt)).decision
    assert decision.action == pb.ACTION_SUBSTITUTE
    (span,), (finding,) = decision.spans, decision.findings
    assert span.cue == "quoted"
    for part in (span, finding):
        assert part.text == "IDIOT" == prompt[part.start : part.end]
    assert (finding.source, finding.category) == ("wordlist", "insult")
    assert finding.rule.startswith("insult.mild#")
    assert (finding.severity, finding.action) == (pb.SEVERITY_MILD, pb.ACTION_SUBSTITUTE)
    assert finding.score == 1
    start, end = span.start, span.end
    assert decision.donor_prompt[:start] == prompt[:start]
    assert decision.donor_prompt[end:] == prompt[end:]
    assert decision.donor_prompt[start:end] != "IDIOT"
    assert (decision.policy.name, decision.policy.version) == ("default", "1")
    assert decision.reason == "findings"


@pytest.mark.parametrize(
    ("prompt", "policy", "action"),
    [
        ("a red circle", "", pb.ACTION_ALLOW),
        ("a man called idiot waves", "", pb.ACTION_FLAG),
        (TOXIC, "", pb.ACTION_SUBSTITUTE),
        (TOXIC, "unread", pb.ACTION_SUBSTITUTE),
        (TOXIC, "strict", pb.ACTION_BLOCK),
    ],
)
def test_the_action_is_the_policys(live: Live, prompt: str, policy: str, action: int) -> None:
    """A donor prompt is set exactly where the action is to substitute."""
    reply = live.stub.CheckPrompt(pb.CheckPromptRequest(prompt=prompt, policy=policy))
    assert reply.decision.action == action
    assert reply.decision.HasField("donor_prompt") == (action == pb.ACTION_SUBSTITUTE)
    assert reply.decision.policy.name == (policy or "default")


def test_models_are_listed(live: Live) -> None:
    """With their classes, their sites and the digest of their manifest."""
    (model,) = live.stub.ListModels(pb.ListModelsRequest()).models
    assert (model.name, model.default) == ("sd3-tiny", True)
    assert model.pipeline == "StableDiffusion3Pipeline"
    assert model.denoiser == "SD3Transformer2DModel"
    assert list(model.sites)
    assert model.manifest_digest.startswith("sha256:")


def test_policies_are_listed(live: Live) -> None:
    """Only the first is the default; a policy's digest tells it from one with other files."""
    listed = live.stub.ListPolicies(pb.ListPoliciesRequest()).policies
    assert [(p.name, p.default, p.version) for p in listed] == [
        ("default", True, "1"),
        ("strict", False, "1"),
        ("unread", False, "1"),
    ]
    assert len({p.digest for p in listed}) == 3
    assert all("insult" in p.categories for p in listed)


def test_the_status_follows_the_load(
    live: Live, gate: Callable[..., Any], until: Callable[..., None]
) -> None:
    """Queue and flight are counted as they are; a check is answered while a picture is drawn."""
    idle = live.stub.GetStatus(pb.GetStatusRequest())
    assert (idle.version, idle.queue_limit) == (version("inkguard"), 2)
    assert (idle.queued, idle.in_flight, idle.accepting) == (0, 0, True)
    assert idle.started.seconds > 1_700_000_000
    held = gate(1)
    streams = [live.generate() for _ in range(2)]
    assert held.reached.wait(20)
    until(lambda: live.stub.GetStatus(pb.GetStatusRequest()).queued == 1)
    busy = live.stub.GetStatus(pb.GetStatusRequest())
    assert busy.in_flight == 1
    assert busy.uptime.ToNanoseconds() > idle.uptime.ToNanoseconds()
    assert live.stub.CheckPrompt(pb.CheckPromptRequest(prompt="a cat"), timeout=10)
    held.open()
    assert all(list(s)[-1].HasField("summary") for s in streams)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("trace-1/a.b:c+d=", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("two words", False),
        ('"quoted"', False),
        ("-dash", False),
        (None, False),
    ],
)
def test_a_request_id_is_returned_and_recorded(live: Live, sent: str | None, kept: bool) -> None:
    """The client's own where it is a plain one, else a new one; also on a call that is refused."""
    metadata = (("x-request-id", sent),) if sent else ()
    _, call = live.stub.CheckPrompt.with_call(
        pb.CheckPromptRequest(prompt="a cat"), metadata=metadata
    )
    (told,) = [v for k, v in call.initial_metadata() if k == "x-request-id"]
    assert (told == sent) is kept
    assert live.record(told)["rpc"] == "CheckPrompt"
    with pytest.raises(grpc.RpcError) as error:
        live.stub.CheckPrompt(pb.CheckPromptRequest(), metadata=metadata)
    assert ("x-request-id" in dict(error.value.initial_metadata())) is True


@pytest.mark.parametrize("on", [False, True])
def test_reflection_answers_only_where_it_was_asked_for(
    serve: Callable[..., Live], on: bool
) -> None:
    """Off it is not there at all; on it lists our service and tells its messages."""
    stub = ServerReflectionStub(serve(reflection=on).channel)
    asked = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="guard.v1.GuardService"),
    ]
    answers = stub.ServerReflectionInfo(iter(asked))
    if not on:
        with pytest.raises(grpc.RpcError) as error:
            next(answers)
        assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
        return
    services, file = answers
    names = {s.name for s in services.list_services_response.service}
    assert names >= {"guard.v1.GuardService", "grpc.health.v1.Health"}
    assert file.file_descriptor_response.file_descriptor_proto
