"""What a guarded pipeline is made of, and what is known of each prompt of a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inkguard.check.checker import Checker
from inkguard.families.registry import Adapter
from inkguard.manifests.manifest import Manifest
from inkguard.types import Action, Decision, Rung, Verification
from inkguard.verify import Reader

__all__ = ["Parts", "Row"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a guarded pipeline is made of. `token_texts` say what learned tokens stand for."""

    pipe: Any
    adapter: Adapter
    checker: Checker
    manifest: Manifest | None
    reader: Reader | None
    token_texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True, eq=False)
class Row:
    """A prompt of the call: its decision by text argument, and how its pictures come about."""

    decisions: Mapping[str, Decision]
    rung: Rung = Rung.UNGUARDED
    verification: Verification = Verification.NOT_NEEDED

    @property
    def decision(self) -> Decision:
        """The strictest one."""
        return max(self.decisions.values(), key=lambda d: d.action.rank)

    @property
    def flagged(self) -> bool:
        return self.rung is not Rung.UNGUARDED

    @property
    def removed(self) -> list[str]:
        """The words that are to be kept out of the picture."""
        found = [f for d in self.decisions.values() for f in d.findings]
        return [f.text for f in found if f.action >= Action.SUBSTITUTE]
