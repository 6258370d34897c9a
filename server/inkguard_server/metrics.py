"""What Prometheus sees. Label values are bounded, and none holds a user's text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from threading import Thread
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)

from inkguard.policy.rules import FindingSource
from inkguard.timing import STAGES
from inkguard.types import Decision, Rung, Verification
from inkguard.wire.records import PolicyInfo
from inkguard_server.engines.base import Engine, QueueStatus, ReloadResult

__all__ = ["Metrics", "MetricsServer"]

_OTHER = "other"
_SOURCES = frozenset(source.value for source in FindingSource)
_BUCKETS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 25.0, 60.0),
)


class Metrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self, categories: Iterable[str]) -> None:
        self.registry = CollectorRegistry()
        self._categories = frozenset(categories)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = self._counter(
            "requests", "Requests that ended, by method and gRPC status.", "method", "status"
        )
        self._decisions = self._counter(
            "decisions",
            "Decisions, by action and the category of the strictest finding (none without one).",
            *("action", "category"),
        )
        self._findings = self._counter("findings", "Findings, by finder.", "source")
        self._rungs = self._counter(
            "verification_rungs",
            "Requests drawn, by the attempt that answered and what OCR said.",
            *("rung", "verification"),
        )
        self.request_seconds = self._histogram(
            "request_seconds", "Seconds from a request's arrival to its end.", "method"
        )
        self._stages = self._histogram("stage_seconds", "Seconds by stage of a request.", "stage")
        self._build = self._info("build", "The software.", "version", "torch", "diffusers")
        self._models = self._info(
            "model", "The models.", "model", "pipeline", "denoiser", "manifest_digest"
        )
        self._policies = self._info("policy", "The policies.", "policy", "version", "digest")
        self._in_force: dict[str, tuple[str, str, str]] = {}
        self._reloads = self._counter("policy_reloads", "Edits of policies, by result.", "result")
        for result in ("success", "failure"):
            self._reloads.labels(result)
        self._loaded = self._gauge(
            "policy_loaded_timestamp_seconds", "When the policy in force was loaded.", "policy"
        )
        self._refused = self._gauge(
            "policy_edit_refused", "1 while the last edit of a policy is not in force.", "policy"
        )

    def describe(self, engine: Engine) -> None:
        """Fill in what does not change, and follow the engine's load."""
        self._build.labels(version("inkguard"), version("torch"), version("diffusers")).set(1)
        for model in engine.models.values():
            self._models.labels(
                model.name, model.pipeline, model.denoiser, model.manifest_digest
            ).set(1)
        self._describe_policies(engine.policies.values())
        self._follow("queue_depth", "Requests that wait for a model.", engine, lambda x: x.queued)
        self._follow("queue_limit", "Requests that may wait.", engine, lambda x: x.queue_limit)
        self._follow("in_flight", "Requests being drawn.", engine, lambda x: x.in_flight)

    def reloaded(self, reloads: Iterable[ReloadResult], engine: Engine) -> None:
        """Count what came of edits, and tell the policies that are in force now."""
        for reload in reloads:
            self._reloads.labels("failure" if reload.error else "success").inc()
        self._describe_policies(engine.policies.values())

    def _describe_policies(self, policies: Iterable[PolicyInfo]) -> None:
        for policy in policies:
            self._categories |= frozenset(policy.categories)
            labels = (policy.name, policy.version, policy.digest)
            self._policies.labels(*labels).set(1)
            before = self._in_force.get(policy.name)
            if before is not None and before != labels:
                self._policies.remove(*before)
            self._in_force[policy.name] = labels
            self._loaded.labels(policy.name).set(policy.loaded)
            self._refused.labels(policy.name).set(bool(policy.error))

    def decided(self, decision: Decision) -> None:
        """Count a decision and its findings."""
        strictest = max(decision.findings, key=lambda f: (f.action, f.severity), default=None)
        category = "none" if strictest is None else self._bounded(strictest.category)
        self._decisions.labels(str(decision.action), category).inc()
        for finding in decision.findings:
            self._findings.labels(finding.source if finding.source in _SOURCES else _OTHER).inc()

    def drawn(self, rung: Rung, verification: Verification) -> None:
        """Count which attempt answered."""
        self._rungs.labels(str(rung), str(verification)).inc()

    def staged(self, timings: Mapping[str, float]) -> None:
        """Observe the seconds of the stages that a request went through."""
        for stage in ("queue", *STAGES):
            if stage in timings:
                self._stages.labels(stage).observe(timings[stage])

    def _bounded(self, category: str) -> str:
        return category if category in self._categories else _OTHER

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"inkguard_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"inkguard_{name}", text, labels, buckets=_BUCKETS, registry=self.registry)

    def _info(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"inkguard_{name}_info", f"{text} Always 1.", labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"inkguard_{name}", text, labels, registry=self.registry)

    def _follow(
        self, name: str, text: str, engine: Engine, value: Callable[[QueueStatus], int]
    ) -> None:
        gauge = Gauge(f"inkguard_{name}", text, registry=self.registry)
        gauge.set_function(lambda: value(engine.queue_status()))


class MetricsServer:
    """/metrics on a port of its own. `address` is HOST:PORT; port 0 takes a free one."""

    def __init__(self, metrics: Metrics, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._server: Any
        self._thread: Thread
        self._server, self._thread = start_http_server(
            int(port), host.strip("[]"), registry=metrics.registry
        )
        self.address = f"{host}:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
