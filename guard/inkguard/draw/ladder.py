"""The rungs of a prompt: how its picture is tried, and what is tried next where it shows toxic text.

Each rung is a function of a row, which says whether the row may be drawn so. A row starts on the first rung
that takes it, and climbs to the next one that does: `LADDER` is the order. To add a way of drawing, add an entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from inkguard.types import Action, Decision, Method, Rung, Verification

__all__ = ["LADDER", "Ladder", "Row", "rung_for"]


@dataclass(slots=True, kw_only=True, eq=False)
class Row:
    """A prompt of the call: its texts and their decisions by argument, and how its pictures come about.

    `method` is the call's, `has_sites` whether the model has a manifest that names the layers that draw letters.
    """

    texts: Mapping[str, str] = field(repr=False)
    decisions: Mapping[str, Decision]
    method: Method
    has_sites: bool
    rung: Rung = field(init=False)
    verification: Verification = Verification.NOT_NEEDED

    def __post_init__(self) -> None:
        self.rung = rung_for(self)

    @property
    def decision(self) -> Decision:
        """The strictest one."""
        return max(self.decisions.values(), key=lambda d: d.action)

    @property
    def substituted(self) -> bool:
        """Whether text of this row is to be kept out of its pictures."""
        return self.decision.action is Action.SUBSTITUTE and self.method is not Method.NONE

    @property
    def removed(self) -> list[str]:
        """The words that are to be kept out of the picture."""
        found = [f for d in self.decisions.values() for f in d.findings]
        return [f.text for f in found if f.action >= Action.SUBSTITUTE]

    def donor(self, argument: str) -> str:
        """The text of an argument with harmless text in place of the toxic text."""
        donor = self.decisions[argument].donor_prompt
        return self.texts[argument] if donor is None else donor

    def text(self, argument: str) -> str:
        """The text of an argument that the encoders read on this rung."""
        return self.donor(argument) if self.rung is Rung.ALL_LAYERS else self.texts[argument]

    def climb(self) -> Rung:
        """Go to the next rung, and tell which."""
        self.rung = rung_for(self, after=self.rung)
        return self.rung


Ladder = tuple[tuple[Rung, Callable[[Row], bool]], ...]


def _unguarded(row: Row) -> bool:
    return not row.substituted and row.decision.action is not Action.BLOCK


def _sites(row: Row) -> bool:
    return row.substituted and row.has_sites and row.method is Method.SUBSTITUTE


def _all_layers(row: Row) -> bool:
    return row.substituted


def _block(_row: Row) -> bool:
    return True


LADDER: Ladder = (
    (Rung.UNGUARDED, _unguarded),
    (Rung.SITES, _sites),
    (Rung.ALL_LAYERS, _all_layers),
    (Rung.BLOCK, _block),
)
"""From the rung that changes least to no picture at all."""


def rung_for(row: Row, *, after: Rung | None = None, ladder: Ladder = LADDER) -> Rung:
    """The first rung of the ladder that takes a row, of those above `after`."""
    rungs = [rung for rung, _ in ladder]
    above = 0 if after is None else rungs.index(after) + 1
    return next(rung for rung, takes in ladder[above:] if takes(row))
