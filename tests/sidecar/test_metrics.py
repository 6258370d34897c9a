"""/metrics over HTTP after a known sequence of calls."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from guard.client import AsyncClient, ServerError
from guard.types import Action, Decision, Finding, PolicyRef, Request, Severity
from server.metrics import Metrics

MARK = "xylophonist"
HARMLESS = f'a cyan sign that says "WELCOME" for a {MARK}'
TOXIC = f'a red sign that says "IDIOT" for a {MARK}'


def sequence(serving: Any) -> str:
    """Three harmless checks, two toxic ones, a bad one, a picture, and the text of /metrics."""

    async def body() -> str:
        async with serving() as sidecar, AsyncClient(sidecar.address) as client:
            for prompt in [HARMLESS] * 3 + [TOXIC] * 2:
                await client.check(prompt)
            with pytest.raises(ServerError):
                await client.check("")
            await client.generate(Request(prompt=HARMLESS, steps=2))

            def read() -> str:
                with urlopen(f"http://{sidecar.metrics_address}/metrics") as response:
                    return str(response.read().decode())

            return await asyncio.to_thread(read)

    return asyncio.run(body())


def test_counters_are_exact_after_a_known_sequence(serving: Any) -> None:
    """By method and status, action and category, source, rung; every stage was observed."""
    found = {
        (s.name, *sorted(s.labels.values())): s.value
        for family in text_string_to_metric_families(sequence(serving))
        for s in family.samples
    }
    expected = {
        ("inkguard_requests_total", "CheckPrompt", "OK"): 5,
        ("inkguard_requests_total", "CheckPrompt", "INVALID_ARGUMENT"): 1,
        ("inkguard_requests_total", "GenerateImage", "OK"): 1,
        ("inkguard_decisions_total", "allow", "none"): 4,
        ("inkguard_decisions_total", "insult", "substitute"): 2,
        ("inkguard_findings_total", "wordlist"): 2,
        ("inkguard_verification_rungs_total", "not_needed", "unguarded"): 1,
        ("inkguard_request_seconds_count", "CheckPrompt"): 6,
        ("inkguard_stage_seconds_count", "classify"): 6,
        ("inkguard_stage_seconds_count", "denoise"): 1,
        ("inkguard_queue_depth",): 0,
        ("inkguard_queue_limit",): 2,
        ("inkguard_in_flight",): 0,
    }
    for (name, *labels), value in expected.items():
        assert found.get((name, *sorted(labels))) == value, (name, labels)
    for name in ("build", "model", "policy"):
        assert any(key[0] == f"inkguard_{name}_info" for key in found)


def test_no_text_of_a_prompt_leaves_but_in_replies(
    serving: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither metrics, nor the decision log, nor the process' own output hold a word of it."""
    metrics = sequence(serving)
    log = (tmp_path / "decisions.jsonl").read_text()
    output = "".join(capfd.readouterr())
    assert log.count("\n") == 6
    for text in (metrics, log, output):
        for word in (MARK, "IDIOT", "WELCOME"):
            assert word not in text


def test_label_values_are_bounded() -> None:
    """A category or a source that no policy has is counted as "other"."""
    metrics = Metrics(["insult"])
    for category in ("insult", "made up"):
        finding = Finding(
            start=0,
            end=1,
            text="x",
            source=category,
            rule="r",
            category=category,
            severity=Severity.MILD,
            score=1.0,
            action=Action.FLAG,
        )
        policy = PolicyRef(name="p", version="1")
        metrics.decided(Decision(action=Action.FLAG, policy=policy, findings=(finding,)))
    labels = {
        tuple(sample.labels.values())
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name in {"inkguard_decisions_total", "inkguard_findings_total"}
    }
    assert labels == {("flag", "insult"), ("flag", "other"), ("other",)}
