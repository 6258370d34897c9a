"""The port between the wire and whatever draws: transport-neutral, so that engines can be exchanged.

Errors that an engine raises are those of `inkguard.errors` and `inkguard_server.errors`; one from another process
is a picklable `WireError`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from inkguard.types import CheckResult, Progress, Request, Result
from inkguard.wire.records import ModelInfo, PolicyInfo

__all__ = ["Engine", "QueueStatus", "ReloadResult"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadResult:
    """What came of an edit of a policy: it is in force, or `error` says why not."""

    name: str
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """How much there is to do: requests that wait, how many may, and requests being drawn."""

    queued: int
    queue_limit: int
    in_flight: int


class Engine(Protocol):
    """Checks prompts and draws pictures. Model and policy names are keys of `models` and `policies`.

    An engine is one file, and one entry of `inkguard_server.engines.ENGINES`.
    """

    @property
    def models(self) -> Mapping[str, ModelInfo]:
        """By name, the default one first."""

    @property
    def policies(self) -> Mapping[str, PolicyInfo]:
        """By name, the default one first."""

    def queue_status(self) -> QueueStatus:
        """How much there is to do now."""

    async def refresh_policies(self) -> list[ReloadResult]:
        """Take the policies whose files have changed; requests that have begun keep theirs."""

    async def check(self, prompt: str, policy: str) -> CheckResult:
        """The decision on a prompt."""

    def generate(
        self, request: Request, model: str, policy: str
    ) -> AsyncIterator[CheckResult | Progress | Result]:
        """One CheckResult, a Progress after every step, one Result; closing it early stops the drawing.

        The request is within the server's limits. Raises InvalidInput for a size that the model cannot
        draw, QueueFull, Stopping.
        """

    async def close(self) -> None:
        """Stop what is being drawn within a step, and let go of everything."""
