"""The engine in this process: a thread that checks, and a thread that draws."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import torch

from inkguard.check.checker import Checker
from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.draw.load import load_pipeline
from inkguard.errors import Cancelled
from inkguard.families.registry import adapter_for, manifest_for
from inkguard.frozen import FrozenDict
from inkguard.guard import Guard
from inkguard.manifests.manifest import Manifest
from inkguard.picture import Picture
from inkguard.types import Action, CheckResult, Progress, Request, Result
from inkguard.verify import reader_for
from inkguard.wire.records import ModelInfo, PolicyInfo
from inkguard_server.engines.base import QueueStatus, ReloadResult
from inkguard_server.engines.check_batcher import CheckBatcher
from inkguard_server.engines.draw_queue import DrawQueue, Job
from inkguard_server.engines.openmp import single_threaded_here, without_thread_pool
from inkguard_server.engines.policies import Policies
from inkguard_server.errors import Stopping
from inkguard_server.settings import ModelSettings, Settings

__all__ = ["LocalEngine"]


@dataclass(frozen=True, slots=True)
class _Model:
    pipe: Any
    manifest: Manifest | None


@dataclass(frozen=True, slots=True)
class _InForce:
    """The policies that requests are decided by, swapped as one."""

    infos: Mapping[str, PolicyInfo]
    checkers: dict[str, Checker]
    guards: Mapping[tuple[str, str], Guard]


class LocalEngine:
    """Policies, the classifier and the models of `settings`, loaded once.

    Raises SettingsError, PolicyError, ModelError, UnsupportedModel or VerificationError.
    """

    def __init__(self, settings: Settings) -> None:
        threads = settings.threads or torch.get_num_threads()
        with without_thread_pool():
            self._policies = Policies(settings.policies or (None,), settings.reader)
            models = {m.name: _load(m, settings) for m in settings.models}
        self.models: Mapping[str, ModelInfo] = FrozenDict(
            {name: _model_info(name, m, n == 0) for n, (name, m) in enumerate(models.items())}
        )
        self._models, self._reader_name = models, settings.reader
        self._now = self._in_force()
        self._waiting: list[ReloadResult] = []
        self._checks = CheckBatcher(single_threaded_here)
        self._reload = ThreadPoolExecutor(1, "inkguard-policies", single_threaded_here)
        self._reload.submit(int).result()  # now, while threads may still set how they compute
        # After the checks' thread: PyTorch's number of threads is in part one of the whole process.
        self._queue = DrawQueue(settings.queue_limit, lambda: torch.set_num_threads(threads))

    @property
    def policies(self) -> Mapping[str, PolicyInfo]:
        return self._now.infos

    @property
    def checkers(self) -> dict[str, Checker]:
        """By policy, as they are in force."""
        return self._now.checkers

    @property
    def pipes(self) -> Mapping[str, Any]:
        """The diffusers pipelines, by model."""
        return {name: model.pipe for name, model in self._models.items()}

    def queue_status(self) -> QueueStatus:
        return self._queue.status()

    async def refresh_policies(self) -> list[ReloadResult]:
        return await asyncio.wrap_future(self._reload.submit(self._refresh))

    def _refresh(self) -> list[ReloadResult]:
        """In the reload's thread, which alone changes what is in force."""
        # Kept until they are in force: where that fails once, the next look tries again.
        self._waiting += self._policies.refresh()
        if self._waiting:
            self._now = self._in_force()
        told, self._waiting = self._waiting, []
        return told

    def _in_force(self) -> _InForce:
        checkers = self._policies.checkers()
        guards = {
            (model, policy): _guard(loaded, checker, self._reader_name)
            for model, loaded in self._models.items()
            for policy, checker in checkers.items()
        }
        return _InForce(self._policies.infos(), checkers, guards)

    async def check(self, prompt: str, policy: str) -> CheckResult:
        return await self._checked(prompt, self._now.checkers[policy])

    async def _checked(self, prompt: str, checker: Checker) -> CheckResult:
        return await asyncio.wrap_future(self._checks.submit(checker, prompt))

    async def generate(
        self, request: Request, model: str, policy: str
    ) -> AsyncIterator[CheckResult | Progress | Result]:
        now = self._now  # one policy for all of the request
        guard = now.guards[model, policy]
        guard.pipeline.check_size(request.width, request.height)
        job: Job[Progress | Result] = self._queue.reserve()
        try:
            checked = await self._checked(request.prompt, now.checkers[policy])
            yield checked
            if checked.decision.action is Action.BLOCK:
                yield Result.of_blocked(request, checked.decision, checked.timings, model)
                return

            def run(job: Job[Progress | Result]) -> None:
                job.emit(replace(_draw(guard, request, checked, job), model=model))

            async for event in job.events(run):
                yield event
        except Cancelled:
            # Nobody but the engine's own end cancels a job whose events are still waited for.
            raise Stopping("the server is shutting down") from None
        finally:
            job.release()

    async def close(self) -> None:
        await asyncio.to_thread(self._queue.close)
        await asyncio.to_thread(self._checks.close)
        await asyncio.to_thread(self._reload.shutdown)


def _draw(
    guard: Guard, request: Request, checked: CheckResult, job: Job[Progress | Result]
) -> Result:
    """In the queue's thread: draw, and emit the steps."""
    attempt = 0

    def on_step(step: int, steps: int) -> None:
        nonlocal attempt
        if step == 1:
            attempt += 1
        if job.cancelled.is_set():
            raise Cancelled("the request was cancelled")
        job.emit(Progress(step=step, steps=steps, attempt=attempt))

    if job.cancelled.is_set():
        raise Cancelled("the request was cancelled before it was its turn")
    result = guard.draw(request, checked, on_step)
    return replace(
        result,
        # Encoded here, and not in the event loop, which serves everybody; the pixels are let go.
        pictures=tuple(Picture(png=png) for png in result.pngs),
        timings={"queue": job.waited, **result.timings},
    )


def _load(model: ModelSettings, settings: Settings) -> _Model:
    dtype = getattr(torch, settings.dtype)
    pipe, folder = load_pipeline(model.path, device=settings.device, dtype=dtype)
    manifest = manifest_for(pipe, folder, fallback=model.fallback, unreached=model.unreached)
    return _Model(pipe, manifest)


def _guard(model: _Model, checker: Checker, reader_name: str | None) -> Guard:
    reader = reader_for(checker.policy, reader_name)
    pipeline = GuardedPipeline(model.pipe, checker, manifest=model.manifest, reader=reader)
    return Guard(pipeline)


def _model_info(name: str, model: _Model, default: bool) -> ModelInfo:
    return ModelInfo(
        name=name,
        default=default,
        pipeline=type(model.pipe).__name__,
        denoiser=type(adapter_for(model.pipe).denoiser(model.pipe)).__name__,
        sites=model.manifest.sites if model.manifest else (),
        manifest_digest=model.manifest.digest if model.manifest else "",
    )
