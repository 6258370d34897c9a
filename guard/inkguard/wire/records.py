"""What goes over the wire, as records: the same for every engine and every transport."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from inkguard.frozen import FrozenDict, freeze
from inkguard.types import Decision, Method, Rung, Verification

__all__ = ["Checked", "Drawn", "ModelInfo", "PolicyInfo", "Stepped"]


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
