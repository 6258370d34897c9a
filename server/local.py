"""The engine in this process: a thread that checks, and a thread that draws."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

from guard.check import Checker
from guard.classify.toxicity import ToxicityClassifier
from guard.errors import Cancelled, UnsupportedModel
from guard.generate.adapter import adapter_for
from guard.generate.load import load_pipeline
from guard.guard import Guard, check_request
from guard.policy.load import load_policy
from guard.policy.model import Policy
from guard.substitute.manifest import Manifest, find_manifest
from guard.types import Action, Request, Rung, Verification
from guard.verify import default_reader
from guard.wrap import GuardedPipeline
from server.checks import Checks
from server.engine import Checked, Drawn, Load, ModelInfo, PolicyInfo, Stepped
from server.errors import Stopping
from server.settings import Settings, SettingsError
from server.threads import no_team, work_alone
from server.worker import Job, Worker

__all__ = ["LocalEngine"]


@dataclass(frozen=True, slots=True)
class _Model:
    pipe: Any
    manifest: Manifest | None
    lock: threading.RLock


class LocalEngine:
    """Policies, the classifier and the models of `settings`, loaded once.

    Raises SettingsError, PolicyError, ModelError, UnsupportedModel or VerificationError.
    """

    def __init__(self, settings: Settings) -> None:
        threads = settings.threads or torch.get_num_threads()
        with no_team():
            checkers = _checkers(settings)
            models = {m.name: _load(m.path, m.fallback, settings) for m in settings.models}
        self.policies: Mapping[str, PolicyInfo] = MappingProxyType(
            {name: _policy_info(c.policy, n == 0) for n, (name, c) in enumerate(checkers.items())}
        )
        self.models: Mapping[str, ModelInfo] = MappingProxyType(
            {name: _model_info(name, m, n == 0) for n, (name, m) in enumerate(models.items())}
        )
        self._checkers, self._models = checkers, models
        self._guards = {
            (model, policy): _guard(loaded, checker)
            for model, loaded in models.items()
            for policy, checker in checkers.items()
        }
        self._checks = Checks(work_alone)
        # After the checks' thread: PyTorch's number of threads is in part one of the whole process.
        self._worker = Worker(settings.queue_limit, lambda: torch.set_num_threads(threads))

    def load(self) -> Load:
        return self._worker.load()

    async def check(self, prompt: str, policy: str) -> Checked:
        return await asyncio.wrap_future(self._checks.submit(self._checkers[policy], prompt))

    async def generate(
        self, request: Request, model: str, policy: str
    ) -> AsyncIterator[Checked | Stepped | Drawn]:
        guard = self._guards[model, policy]
        check_request(request)
        guard.pipeline.check_size(request.width, request.height)
        job: Job[Stepped | Drawn] = self._worker.reserve()
        try:
            checked = await self.check(request.prompt, policy)
            yield checked
            if checked.decision.action is Action.BLOCK:
                yield _blocked(request, checked)
                return

            def run(job: Job[Stepped | Drawn]) -> None:
                _draw(guard, request, checked, job)

            async for event in job.events(run):
                yield event
        except Cancelled:
            # Nobody but the engine's own end cancels a job whose events are still waited for.
            raise Stopping("the server is shutting down") from None
        finally:
            job.release()

    async def close(self) -> None:
        await asyncio.to_thread(self._worker.close)
        await asyncio.to_thread(self._checks.close)


def _draw(guard: Guard, request: Request, checked: Checked, job: Job[Stepped | Drawn]) -> None:
    """In the worker's thread: draw, and emit what there is to tell."""
    attempt = 0

    def on_step(step: int, steps: int) -> None:
        nonlocal attempt
        attempt += step == 1
        if job.cancelled.is_set():
            raise Cancelled("the request was cancelled")
        job.emit(Stepped(step=step, steps=steps, attempt=attempt))

    if job.cancelled.is_set():
        raise Cancelled("the request was cancelled before it was its turn")
    outcome = guard.generate(request, decision=checked.decision, on_step=on_step)
    timings = {"queue": job.waited, **checked.timings, **outcome.timings}
    job.emit(
        Drawn(
            decision=outcome.decision,
            pngs=tuple(_png(image) for image in outcome.images),
            seed=request.seed,
            method=request.method,
            rung=outcome.rung,
            verification=outcome.verification,
            sites=outcome.sites,
            timings=timings,
        )
    )


def _blocked(request: Request, checked: Checked) -> Drawn:
    return Drawn(
        decision=checked.decision,
        pngs=(),
        seed=request.seed,
        method=request.method,
        rung=Rung.BLOCK,
        verification=Verification.NOT_NEEDED,
        timings=dict(checked.timings),
    )


def _png(image: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _checkers(settings: Settings) -> dict[str, Checker]:
    policies = [load_policy(path) for path in settings.policies or (None,)]
    names = [p.name for p in policies]
    if len(set(names)) < len(names):
        raise SettingsError("policies: two policies have the same name")
    scorer = ToxicityClassifier.load() if any(p.uses_classifier for p in policies) else None
    return {p.name: Checker(p, scorer if p.uses_classifier else None) for p in policies}


def _load(path: str, fallback: bool, settings: Settings) -> _Model:
    dtype = getattr(torch, settings.dtype)
    pipe, folder = load_pipeline(path, device=settings.device, dtype=dtype)
    try:
        manifest = find_manifest(adapter_for(pipe).denoiser(pipe), folder)
    except UnsupportedModel:
        if not fallback:
            raise
        manifest = None
    return _Model(pipe, manifest, threading.RLock())


def _guard(model: _Model, checker: Checker) -> Guard:
    reader = default_reader() if checker.policy.verify else None
    pipeline = GuardedPipeline(
        model.pipe, checker, manifest=model.manifest, reader=reader, lock=model.lock
    )
    return Guard(checker, pipeline, model.manifest)


def _policy_info(policy: Policy, default: bool) -> PolicyInfo:
    return PolicyInfo(
        name=policy.name,
        default=default,
        version=policy.version,
        digest=policy.digest,
        categories=tuple(policy.categories),
    )


def _model_info(name: str, model: _Model, default: bool) -> ModelInfo:
    return ModelInfo(
        name=name,
        default=default,
        pipeline=type(model.pipe).__name__,
        denoiser=type(adapter_for(model.pipe).denoiser(model.pipe)).__name__,
        sites=model.manifest.sites if model.manifest else (),
        manifest_digest=model.manifest.digest if model.manifest else "",
    )
