"""The engine in this process: a thread that checks, and a thread that draws."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch

from inkguard.check.checker import Checker
from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.draw.load import load_pipeline
from inkguard.errors import Cancelled
from inkguard.families.registry import adapter_for, manifest_for
from inkguard.frozen import FrozenDict
from inkguard.guard import Guard, check_request
from inkguard.manifests.manifest import Manifest
from inkguard.types import Action, Request, Rung, Verification
from inkguard.verify import reader_for
from inkguard.wire.records import Checked, Drawn, ModelInfo, PolicyInfo, Stepped
from inkguard_server.engines.base import Load, Reload
from inkguard_server.engines.check_batcher import Checks
from inkguard_server.engines.draw_queue import Job, Worker
from inkguard_server.engines.openmp import no_team, work_alone
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
        with no_team():
            self._policies = Policies(settings.policies or (None,))
            models = {m.name: _load(m, settings) for m in settings.models}
        self.models: Mapping[str, ModelInfo] = FrozenDict(
            {name: _model_info(name, m, n == 0) for n, (name, m) in enumerate(models.items())}
        )
        self._models = models
        self._now = self._in_force()
        self._waiting: list[Reload] = []
        self._checks = Checks(work_alone)
        self._reader = ThreadPoolExecutor(1, "inkguard-policies", work_alone)
        self._reader.submit(int).result()  # now, while threads may still set how they compute
        # After the checks' thread: PyTorch's number of threads is in part one of the whole process.
        self._worker = Worker(settings.queue_limit, lambda: torch.set_num_threads(threads))

    @property
    def policies(self) -> Mapping[str, PolicyInfo]:
        return self._now.infos

    @property
    def _checkers(self) -> dict[str, Checker]:
        return self._now.checkers

    def load(self) -> Load:
        return self._worker.load()

    async def refresh_policies(self) -> list[Reload]:
        return await asyncio.wrap_future(self._reader.submit(self._refresh))

    def _refresh(self) -> list[Reload]:
        """In the reader's thread, which alone changes what is in force."""
        # Kept until they are in force: where that fails once, the next look tries again.
        self._waiting += self._policies.refresh()
        if self._waiting:
            self._now = self._in_force()
        told, self._waiting = self._waiting, []
        return told

    def _in_force(self) -> _InForce:
        checkers = self._policies.checkers()
        guards = {
            (model, policy): _guard(loaded, checker)
            for model, loaded in self._models.items()
            for policy, checker in checkers.items()
        }
        return _InForce(self._policies.infos(), checkers, guards)

    async def check(self, prompt: str, policy: str) -> Checked:
        return await self._checked(prompt, self._now.checkers[policy])

    async def _checked(self, prompt: str, checker: Checker) -> Checked:
        return await asyncio.wrap_future(self._checks.submit(checker, prompt))

    async def generate(
        self, request: Request, model: str, policy: str
    ) -> AsyncIterator[Checked | Stepped | Drawn]:
        now = self._now  # one policy for all of the request
        guard = now.guards[model, policy]
        check_request(request)
        guard.pipeline.check_size(request.width, request.height)
        job: Job[Stepped | Drawn] = self._worker.reserve()
        try:
            checked = await self._checked(request.prompt, now.checkers[policy])
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
        await asyncio.to_thread(self._reader.shutdown)


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


def _load(model: ModelSettings, settings: Settings) -> _Model:
    dtype = getattr(torch, settings.dtype)
    pipe, folder = load_pipeline(model.path, device=settings.device, dtype=dtype)
    manifest = manifest_for(pipe, folder, fallback=model.fallback, unreached=model.unreached)
    return _Model(pipe, manifest)


def _guard(model: _Model, checker: Checker) -> Guard:
    reader = reader_for(checker.policy)
    pipeline = GuardedPipeline(model.pipe, checker, manifest=model.manifest, reader=reader)
    return Guard(checker, pipeline, model.manifest)


def _model_info(name: str, model: _Model, default: bool) -> ModelInfo:
    return ModelInfo(
        name=name,
        default=default,
        pipeline=type(model.pipe).__name__,
        denoiser=type(adapter_for(model.pipe).denoiser(model.pipe)).__name__,
        sites=model.manifest.sites if model.manifest else (),
        manifest_digest=model.manifest.digest if model.manifest else "",
    )
