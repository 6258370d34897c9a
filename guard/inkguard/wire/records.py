"""What a server tells of its models and policies. The records of a request are those of `inkguard.types`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ModelInfo", "PolicyInfo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """A model that a server draws with; `sites` is empty for one that is guarded by prompt swap only."""

    name: str
    default: bool
    pipeline: str
    denoiser: str
    sites: tuple[int, ...]
    manifest_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInfo:
    """A policy that a server decides by.

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
