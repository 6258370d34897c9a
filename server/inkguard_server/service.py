"""The RPCs of `GuardService`: thin, over the engine's port."""

from __future__ import annotations

import asyncio
import datetime
import secrets
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from importlib.metadata import version
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration

from inkguard.types import CheckResult, Decision, Method, Request, Result, validate_prompt
from inkguard.wire import convert
from inkguard.wire.v1 import guard_pb2 as pb
from inkguard_server.audit import DecisionLog, Record
from inkguard_server.engines.base import Engine
from inkguard_server.errors import AuditError, Forbidden, NotFound
from inkguard_server.logs import get_logger
from inkguard_server.metrics import Metrics
from inkguard_server.rpc import Answer, Call
from inkguard_server.settings import Settings

__all__ = ["GuardService"]

_T = TypeVar("_T")
_SEEDS = 2**31
_log = get_logger(__name__)


class GuardService:
    """One method for each RPC; raises the exceptions of `inkguard_server.errors`' table."""

    def __init__(
        self, engine: Engine, settings: Settings, metrics: Metrics, log: DecisionLog
    ) -> None:
        self._engine, self._settings, self._metrics, self._log = engine, settings, metrics, log
        self._started = time.time()
        self.accepting = True

    @property
    def rpcs(self) -> Mapping[str, Answer]:
        """What answers each of the proto's RPCs."""
        return {
            "CheckPrompt": self.check_prompt,
            "GenerateImage": self.generate_image,
            "ListModels": self.list_models,
            "ListPolicies": self.list_policies,
            "GetStatus": self.get_status,
        }

    async def check_prompt(
        self, message: pb.CheckPromptRequest, call: Call
    ) -> pb.CheckPromptResponse:
        validate_prompt(message.prompt, self._settings.limits)
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
        request = convert.request_from_proto(message, secrets.randbelow(_SEEDS))
        if request.method is Method.NONE and not self._settings.allow_unguarded:
            raise Forbidden("method: this server was not started with --allow-unguarded")
        request.validate(self._settings.limits)
        drawing = _Drawing(
            engine=self._engine,
            metrics=self._metrics,
            log=self._log,
            request=request,
            model=_named("model", message.model, self._engine.models),
            policy=_named("policy", message.policy, self._engine.policies),
            call=call,
        )
        result = await drawing.run()
        for chunk in convert.chunks(result.pngs):
            await call.write(chunk)
        await call.write(pb.GenerateImageEvent(summary=convert.result_to_proto(result)))

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
        queue = self._engine.queue_status()
        uptime = Duration()
        uptime.FromTimedelta(datetime.timedelta(seconds=time.time() - self._started))
        return pb.GetStatusResponse(
            version=version("inkguard"),
            started=convert.timestamp(self._started),
            uptime=uptime,
            queued=queue.queued,
            queue_limit=queue.queue_limit,
            in_flight=queue.in_flight,
            accepting=self.accepting,
            policies=[convert.policy_status_to_proto(i) for i in self._engine.policies.values()],
        )


@dataclass(slots=True, kw_only=True)
class _Drawing:
    """One GenerateImage: events to the client as they come, and one decision record at its end."""

    engine: Engine
    metrics: Metrics
    log: DecisionLog
    request: Request
    model: str
    policy: str
    call: Call
    checked: CheckResult | None = None

    async def run(self) -> Result:
        """Everything up to the pictures; the record is written when this returns or raises."""
        try:
            result = await self._events()
        except (Exception, asyncio.CancelledError) as error:
            if self.checked is not None:
                cancelled = isinstance(error, asyncio.CancelledError)
                self._record_failure("cancelled" if cancelled else "failed", self.checked)
            raise
        self.metrics.drawn(result.rung, result.verification)
        self.metrics.staged(result.timings)
        self.call.note |= {"action": str(result.decision.action), "rung": str(result.rung)}
        outcome = "blocked" if result.blocked else "drawn"
        self.log.write(self._record(outcome, result.decision, result.timings, result))
        return result

    async def _events(self) -> Result:
        events = self.engine.generate(self.request, self.model, self.policy)
        async with aclosing(events) as stream:  # type: ignore[type-var]
            async for event in stream:
                if isinstance(event, Result):
                    return event
                if isinstance(event, CheckResult):
                    self.checked = event
                    self.metrics.decided(event.decision)
                await self.call.write(convert.event_to_proto(event))
        raise RuntimeError("the engine's events ended without a picture or a refusal")

    def _record_failure(self, outcome: str, checked: CheckResult) -> None:
        """Record a decision whose request did not end well; that error stays the answer."""
        try:
            self.log.write(self._record(outcome, checked.decision, checked.timings))
        except AuditError as error:
            _log.error("a decision could not be recorded", exc_info=error)

    def _record(
        self,
        outcome: str,
        decision: Decision,
        timings: Mapping[str, float],
        result: Result | None = None,
    ) -> Record:
        return Record(
            request_id=self.call.id,
            rpc="GenerateImage",
            decision=decision,
            outcome=outcome,
            prompt_length=len(self.request.prompt),
            policy_digest=decision.policy.digest,
            model=self.model,
            manifest_digest=self.engine.models[self.model].manifest_digest or None,
            method=self.request.method,
            rung=result.rung if result else None,
            verification=result.verification if result else None,
            seed=self.request.seed,
            timings=timings,
        )


def _named(field: str, name: str, known: Mapping[str, _T]) -> str:
    """The name that is meant; the first one is the default. Raises NotFound."""
    if not name:
        return next(iter(known))
    if name not in known:
        raise NotFound(field, name, tuple(known))
    return name
