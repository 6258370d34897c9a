"""What /metrics says over HTTP."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from inkguard.types import Action, Decision, Finding, PolicyRef, Severity
from inkguard.wire.v1 import guard_pb2 as pb
from inkguard_server.metrics import Metrics

if TYPE_CHECKING:
    from tests.server.conftest import Live

TOXIC = 'a red sign that says "IDIOT"'


def test_counters_are_exact_after_a_known_sequence(
    serve: Callable[..., Live], gate: Callable[..., Any], until: Callable[..., None]
) -> None:
    """Every request, decision, finding and stage is counted once, and nothing else is."""
    live = serve(metrics="127.0.0.1:0")

    def check(prompt: str, policy: str = "") -> None:
        with suppress(grpc.RpcError):
            live.stub.CheckPrompt(pb.CheckPromptRequest(prompt=prompt, policy=policy))

    for prompt in ("a cat", "a dog", TOXIC, TOXIC, "a man called idiot waves", ""):
        check(prompt)
    check(TOXIC, "strict")
    check("a cat", "nope")
    list(live.generate())
    list(live.generate(TOXIC, policy="strict"))
    list(live.generate(TOXIC, policy="unread"))
    live.stub.GetStatus(pb.GetStatusRequest())
    held = gate(1)
    stream = live.generate()
    assert held.reached.wait(20)
    during = live.samples()
    assert (during["inkguard_in_flight{}"], during["inkguard_queue_depth{}"]) == (1, 0)
    stream.cancel()
    held.open()
    cancelled = "inkguard_requests_total{method=GenerateImage,status=CANCELLED}"
    until(lambda: live.samples().get(cancelled) == 1)
    until(lambda: live.samples()["inkguard_in_flight{}"] == 0)
    samples = live.samples()
    wanted = {
        "inkguard_requests_total": {
            "method=CheckPrompt,status=OK": 6,
            "method=CheckPrompt,status=INVALID_ARGUMENT": 1,
            "method=CheckPrompt,status=NOT_FOUND": 1,
            "method=GenerateImage,status=OK": 3,
            "method=GenerateImage,status=CANCELLED": 1,
            "method=GetStatus,status=OK": 1,
        },
        "inkguard_decisions_total": {
            "action=allow,category=none": 4,
            "action=flag,category=insult": 1,
            "action=substitute,category=insult": 3,
            "action=block,category=insult": 2,
        },
        "inkguard_findings_total": {"source=wordlist": 6},
        "inkguard_verification_rungs_total": {
            "rung=unguarded,verification=not_needed": 1,
            "rung=block,verification=not_needed": 1,
            "rung=sites,verification=not_verified": 1,
        },
        "inkguard_request_seconds_count": {
            "method=CheckPrompt": 8,
            "method=GenerateImage": 4,
            "method=GetStatus": 1,
        },
        "inkguard_stage_seconds_count": {
            "stage=queue": 2,
            "stage=extract": 9,
            "stage=classify": 9,
            "stage=encode": 2,
            "stage=denoise": 2,
            "stage=decode": 2,
        },
        "inkguard_queue_limit": {"": 2},
        "inkguard_queue_depth": {"": 0},
    }
    for name, values in wanted.items():
        found = {k[len(name) + 1 : -1]: v for k, v in samples.items() if k.startswith(f"{name}{{")}
        assert found == values, name


def test_what_is_served_is_told(serve: Callable[..., Live]) -> None:
    """Versions, models and policies with their digests, as labels of a 1."""
    live = serve(metrics="127.0.0.1:0")
    told = [k for k, v in live.samples().items() if "_info{" in k and v == 1]
    (model,) = live.stub.ListModels(pb.ListModelsRequest()).models
    policies = live.stub.ListPolicies(pb.ListPoliciesRequest()).policies
    for digest in (model.manifest_digest, *(p.digest for p in policies)):
        assert sum(digest in name for name in told) == 1
    assert any(name.startswith("inkguard_build_info{diffusers=") for name in told)
    assert any(name.startswith("process_resident_memory") for name in live.samples())


def test_metrics_are_one_servers_own(serve: Callable[..., Live]) -> None:
    """Two servers in a process do not count each other's requests."""
    busy, idle = serve(metrics="127.0.0.1:0"), serve(metrics="127.0.0.1:0")
    busy.stub.CheckPrompt(pb.CheckPromptRequest(prompt="a cat"))
    assert not any(k.startswith("inkguard_requests_total") for k in idle.samples())


def test_the_page_is_in_prometheus_format(serve: Callable[..., Live]) -> None:
    """With the content type that Prometheus asks for; and gone when the server is."""
    live = serve(metrics="127.0.0.1:0")
    url = f"http://{live.sidecar.metrics_address}/metrics"
    with urllib.request.urlopen(url) as reply:
        assert reply.headers["Content-Type"].startswith("text/plain; version=")
    live.loop.run(live.sidecar.stop(0))
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url)


def test_label_values_are_bounded() -> None:
    """A category that no policy has, and a finder that is not ours, are "other"."""
    metrics = Metrics(["insult"])
    for name in ("insult", "wordlist", "made up 1", "made up 2"):
        finding = Finding(
            start=0,
            end=1,
            text="x",
            score=1.0,
            rule="r",
            source=name,
            category=name,
            severity=Severity.MILD,
            action=Action.FLAG,
        )
        ref = PolicyRef(name="p", version="1")
        metrics.decided(Decision(action=Action.FLAG, policy=ref, findings=(finding,)))
    labels = {
        (sample.name, *sample.labels.values()): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name in ("inkguard_decisions_total", "inkguard_findings_total")
    }
    assert labels == {
        ("inkguard_decisions_total", "flag", "insult"): 1,
        ("inkguard_decisions_total", "flag", "other"): 3,
        ("inkguard_findings_total", "wordlist"): 1,
        ("inkguard_findings_total", "other"): 3,
    }


def test_a_decisions_category_is_the_strictest_findings() -> None:
    """The action first, then the severity."""
    metrics = Metrics(["mild", "severe", "blocked"])
    findings = tuple(
        Finding(
            start=n,
            end=n + 1,
            text="x",
            score=1.0,
            rule="r",
            source="wordlist",
            category=category,
            severity=severity,
            action=action,
        )
        for n, (category, severity, action) in enumerate(
            [
                ("severe", Severity.SEVERE, Action.FLAG),
                ("mild", Severity.MILD, Action.BLOCK),
                ("blocked", Severity.MODERATE, Action.BLOCK),
            ]
        )
    )
    ref = PolicyRef(name="p", version="1")
    metrics.decided(Decision(action=Action.BLOCK, policy=ref, findings=findings))
    labels = {"action": "block", "category": "blocked"}
    assert metrics.registry.get_sample_value("inkguard_decisions_total", labels) == 1
