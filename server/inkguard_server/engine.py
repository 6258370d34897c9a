"""The port between the wire and whatever draws: transport-neutral, so that engines can be exchanged.

Errors that an engine raises are those of `inkguard.errors` and `inkguard_server.errors`; one from another process
is a picklable `Refused`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from inkguard.frozen import FrozenDict, freeze
from inkguard.types import Decision, Method, Request, Rung, Verification

__all__ = ["Checked", "Drawn", "Engine", "Load", "ModelInfo", "PolicyInfo", "Reload", "Stepped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A decision; `timings` are seconds by stage."""

    decision: Decision
    timings: Mapping[str, float] = FrozenDict()

    def __post_init__(self) -> None:
        freeze(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """A denoising step is done. `attempt` counts from 1."""

    step: int
    steps: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The end of a request. `pngs` is empty exactly when it was blocked."""

    decision: Decision
    pngs: tuple[bytes, ...] = field(repr=False)
    seed: int
    method: Method
    rung: Rung
    verification: Verification
    sites: tuple[int, ...] = ()
    timings: Mapping[str, float] = FrozenDict()

    def __post_init__(self) -> None:
        freeze(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """A model that can be asked for; `sites` is empty for one that is guarded by prompt swap only."""

    name: str
    default: bool
    pipeline: str
    denoiser: str
    sites: tuple[int, ...]
    manifest_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInfo:
    """A policy that can be asked for.

    `loaded` is when its files were taken, in seconds since 1970. Where a later edit of them was
    refused, `error` says why, and `failed` when.
    """

    name: str
    default: bool
    version: str
    digest: str
    categories: tuple[str, ...]
    loaded: float = 0.0
    error: str = ""
    failed: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """What came of an edit of a policy: it is in force, or `error` says why not."""

    name: str
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much there is to do: requests that wait, how many may, and requests being drawn."""

    queued: int
    queue_limit: int
    in_flight: int


class Engine(Protocol):
    """Checks prompts and draws pictures. Model and policy names are keys of `models` and `policies`."""

    @property
    def models(self) -> Mapping[str, ModelInfo]:
        """By name, the default one first."""

    @property
    def policies(self) -> Mapping[str, PolicyInfo]:
        """By name, the default one first."""

    def load(self) -> Load:
        """How much there is to do now."""

    async def refresh_policies(self) -> list[Reload]:
        """Take the policies whose files have changed; requests that have begun keep theirs."""

    async def check(self, prompt: str, policy: str) -> Checked:
        """The decision on a prompt."""

    def generate(
        self, request: Request, model: str, policy: str
    ) -> AsyncIterator[Checked | Stepped | Drawn]:
        """One Checked, a Stepped after every step, one Drawn; closing it early stops the drawing.

        Raises InvalidInput for what the model cannot draw, QueueFull, Stopping.
        """

    async def close(self) -> None:
        """Stop what is being drawn within a step, and let go of everything."""
