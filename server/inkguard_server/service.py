"""The RPCs of `GuardService`: thin, over the engine's port."""

from __future__ import annotations

import asyncio
import datetime
import logging
import secrets
import time
from collections.abc import Mapping
from contextlib import aclosing
from importlib.metadata import version
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration

from inkguard.errors import InvalidInput
from inkguard.types import Decision, Method, Request
from inkguard.wire import convert
from inkguard.wire.records import Checked, Drawn
from inkguard.wire.v1 import guard_pb2 as pb
from inkguard_server.audit import DecisionLog, Record
from inkguard_server.engines.base import Engine
from inkguard_server.errors import AuditError, Forbidden, NotFound
from inkguard_server.metrics import Metrics
from inkguard_server.rpc import Call
from inkguard_server.settings import Settings

__all__ = ["GuardService"]

_T = TypeVar("_T")
_SEEDS = 2**31
_log = logging.getLogger(__name__)


class GuardService:
    """One method for each RPC; raises the exceptions of `inkguard_server.errors`' table."""

    def __init__(
        self, engine: Engine, settings: Settings, metrics: Metrics, log: DecisionLog
    ) -> None:
        self._engine, self._settings, self._metrics, self._log = engine, settings, metrics, log
        self._started = time.time()
        self.accepting = True

    async def check_prompt(
        self, message: pb.CheckPromptRequest, call: Call
    ) -> pb.CheckPromptResponse:
        self._check_prompt_length(message.prompt)
        policy = _named("policy", message.policy, self._engine.policies)
        checked = await self._engine.check(message.prompt, policy)
        self._metrics.decided(checked.decision)
        self._metrics.staged(checked.timings)
        self._log.write(
            Record(
                request_id=call.id,
                rpc="CheckPrompt",
                decision=checked.decision,
                outcome="checked",
                prompt_length=len(message.prompt),
                policy_digest=checked.decision.policy.digest,
                timings=checked.timings,
            )
        )
        call.note["action"] = str(checked.decision.action)
        return pb.CheckPromptResponse(decision=convert.decision_to_proto(checked.decision))

    async def generate_image(self, message: pb.GenerateImageRequest, call: Call) -> None:
        request = self._request(message)
        model = _named("model", message.model, self._engine.models)
        policy = _named("policy", message.policy, self._engine.policies)
        drawing = _Drawing(self, request, model, policy, call)
        drawn = await drawing.run()
        for chunk in convert.chunks(drawn.pngs):
            await call.write(chunk)
        await call.write(convert.summary_to_proto(drawn, model))

    async def list_models(
        self, _message: pb.ListModelsRequest, _call: Call
    ) -> pb.ListModelsResponse:
        infos = self._engine.models.values()
        return pb.ListModelsResponse(models=[convert.model_to_proto(i) for i in infos])

    async def list_policies(
        self, _message: pb.ListPoliciesRequest, _call: Call
    ) -> pb.ListPoliciesResponse:
        infos = self._engine.policies.values()
        return pb.ListPoliciesResponse(policies=[convert.policy_to_proto(i) for i in infos])

    async def get_status(self, _message: pb.GetStatusRequest, _call: Call) -> pb.GetStatusResponse:
        load = self._engine.load()
        uptime = Duration()
        uptime.FromTimedelta(datetime.timedelta(seconds=time.time() - self._started))
        return pb.GetStatusResponse(
            version=version("inkguard"),
            started=convert.timestamp(self._started),
            uptime=uptime,
            queued=load.queued,
            queue_limit=load.queue_limit,
            in_flight=load.in_flight,
            accepting=self.accepting,
            policies=[convert.policy_status_to_proto(i) for i in self._engine.policies.values()],
        )

    def _request(self, message: pb.GenerateImageRequest) -> Request:
        """The request within this server's limits; raises InvalidInput or Forbidden."""
        limits = self._settings
        self._check_prompt_length(message.prompt)
        method = convert.method_from_proto(message.method)
        if method is Method.NONE and not limits.allow_unguarded:
            raise Forbidden("method: this server was not started with --allow-unguarded")
        sizes: dict[str, int | None] = {}
        for name in ("width", "height"):
            sizes[name] = getattr(message, name) if message.HasField(name) else None
            _within(name, sizes[name], 1, limits.max_side)
        steps = message.steps if message.HasField("steps") else 20
        pictures = message.pictures if message.HasField("pictures") else 1
        _within("steps", steps, 1, limits.max_steps)
        _within("pictures", pictures, 1, limits.max_pictures)
        return Request(
            prompt=message.prompt,
            seed=message.seed if message.HasField("seed") else secrets.randbelow(_SEEDS),
            steps=steps,
            guidance_scale=message.guidance_scale if message.HasField("guidance_scale") else None,
            pictures=pictures,
            method=method,
            width=sizes["width"],
            height=sizes["height"],
        )

    def _check_prompt_length(self, prompt: str) -> None:
        if not prompt.strip():
            raise InvalidInput("prompt", "must not be empty")
        if len(prompt) > (most := self._settings.max_prompt):
            raise InvalidInput("prompt", f"at most {most} code points, got {len(prompt)}")


class _Drawing:
    """One GenerateImage: events to the client as they come, and one decision record at its end."""

    def __init__(
        self, service: GuardService, request: Request, model: str, policy: str, call: Call
    ) -> None:
        self._service, self._request, self._call = service, request, call
        self._model, self._policy = model, policy
        self._checked: Checked | None = None

    async def run(self) -> Drawn:
        """Everything up to the pictures; the record is written when this returns or raises."""
        try:
            drawn = await self._events()
        except (Exception, asyncio.CancelledError) as error:
            if self._checked is not None:
                cancelled = isinstance(error, asyncio.CancelledError)
                self._record_failure("cancelled" if cancelled else "failed", self._checked)
            raise
        metrics = self._service._metrics
        metrics.drawn(drawn.rung, drawn.verification)
        metrics.staged(drawn.timings)
        self._call.note |= {"action": str(drawn.decision.action), "rung": str(drawn.rung)}
        self._service._log.write(
            self._record("drawn" if drawn.pngs else "blocked", drawn.decision, drawn)
        )
        return drawn

    async def _events(self) -> Drawn:
        service = self._service
        events = service._engine.generate(self._request, self._model, self._policy)
        async with aclosing(events) as stream:  # type: ignore[type-var]
            async for event in stream:
                if isinstance(event, Drawn):
                    return event
                if isinstance(event, Checked):
                    self._checked = event
                    service._metrics.decided(event.decision)
                await self._call.write(convert.event_to_proto(event))
        raise RuntimeError("the engine's events ended without a picture or a refusal")

    def _record_failure(self, outcome: str, checked: Checked) -> None:
        """Record a decision whose request did not end well; that error stays the answer."""
        try:
            self._service._log.write(self._record(outcome, checked.decision, None))
        except AuditError as error:
            _log.error("a decision could not be recorded", exc_info=error)

    def _record(self, outcome: str, decision: Decision, drawn: Drawn | None) -> Record:
        engine = self._service._engine
        timings: Mapping[str, float] = self._checked.timings if self._checked else {}
        return Record(
            request_id=self._call.id,
            rpc="GenerateImage",
            decision=decision,
            outcome=outcome,
            prompt_length=len(self._request.prompt),
            policy_digest=decision.policy.digest,
            model=self._model,
            manifest_digest=engine.models[self._model].manifest_digest or None,
            method=self._request.method,
            rung=drawn.rung if drawn else None,
            verification=drawn.verification if drawn else None,
            seed=self._request.seed,
            timings=drawn.timings if drawn else timings,
        )


def _within(name: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise InvalidInput(name, f"must be {least} to {most}, got {value}")


def _named(field: str, name: str, known: Mapping[str, _T]) -> str:
    """The name that is meant; the first one is the default. Raises NotFound."""
    if not name:
        return next(iter(known))
    if name not in known:
        raise NotFound(field, name, tuple(known))
    return name
