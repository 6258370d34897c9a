"""What a guarded pipeline is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inkguard.check.checker import Checker
from inkguard.families.registry import Adapter
from inkguard.manifests.manifest import Manifest
from inkguard.verify import Reader

__all__ = ["Parts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a guarded pipeline is made of. `token_texts` say what learned tokens stand for."""

    pipe: Any
    adapter: Adapter
    checker: Checker
    manifest: Manifest | None
    reader: Reader | None
    token_texts: Mapping[str, str] = field(default_factory=dict)
