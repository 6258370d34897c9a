"""Engines by name, and a sidecar around one that is not ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING

import pytest

from inkguard.client import Client
from inkguard.picture import Picture
from inkguard.types import (
    Action,
    CheckResult,
    Decision,
    Method,
    PolicyRef,
    Progress,
    Request,
    Result,
    Rung,
    Verification,
)
from inkguard.wire.records import ModelInfo, PolicyInfo
from inkguard_server.engines import ENGINES, make_engine
from inkguard_server.engines.base import QueueStatus, ReloadResult
from inkguard_server.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from tests.server.conftest import Live

DECISION = Decision(action=Action.FLAG, policy=PolicyRef(name="toy", version="3"), reason="toy")


class Toy:
    """An engine without a model: it flags every prompt and draws one picture in one step."""

    def __init__(self, settings: Settings) -> None:
        self.models: Mapping[str, ModelInfo] = {
            "none": ModelInfo(
                name="none",
                default=True,
                pipeline="",
                denoiser="",
                sites=(),
                manifest_digest="",
            )
        }
        self.policies: Mapping[str, PolicyInfo] = {
            "toy": PolicyInfo(name="toy", default=True, version="3", digest="", categories=())
        }
        self._limit = settings.queue_limit

    def queue_status(self) -> QueueStatus:
        return QueueStatus(queued=0, queue_limit=self._limit, in_flight=0)

    async def refresh_policies(self) -> list[ReloadResult]:
        return []

    async def check(self, prompt: str, policy: str) -> CheckResult:
        return CheckResult(decision=DECISION)

    async def generate(
        self, request: Request, model: str, policy: str
    ) -> AsyncIterator[CheckResult | Progress | Result]:
        yield CheckResult(decision=DECISION)
        yield Progress(step=1, steps=1, attempt=1)
        yield Result(
            decision=DECISION,
            pictures=(Picture(png=b"toy"),),
            seed=request.seed,
            method=Method.SUBSTITUTE,
            rung=Rung.UNGUARDED,
            verification=Verification.NOT_NEEDED,
            model=model,
        )

    async def close(self) -> None:
        """It holds nothing."""


def test_an_engine_of_ones_own_serves_by_its_name(
    serve: Callable[..., Live], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One class and one entry: the RPCs, the metrics and the decision log go with it as they are."""
    monkeypatch.setitem(ENGINES, "toy", Toy)
    live = serve(make_engine(load_settings(engine="toy", queue_limit=7)), metrics="127.0.0.1:0")
    with Client(live.sidecar.address) as client:
        assert client.check("a cat") == DECISION
        result = client.generate(Request(prompt="a cat", seed=4))
        assert (result.pngs, result.seed, result.model) == ((b"toy",), 4, "none")
        assert client.status().queue_limit == 7
        assert [p.name for p in client.policies()] == ["toy"]
    assert live.samples()["inkguard_decisions_total{action=flag,category=none}"] == 2
    assert [r["outcome"] for r in live.records()] == ["checked", "drawn"]


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    """Before any model is loaded."""
    with pytest.raises(SettingsError, match="'cluster'; there are: local"):
        make_engine(load_settings(engine="cluster"))
