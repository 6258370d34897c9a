"""The terms of all word lists and allow-lists of a policy, each of them once."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from inkguard.errors import PolicyError
from inkguard.match.fold import fold
from inkguard.match.matcher import Entry

__all__ = ["Rank", "Replaced", "TermTable"]


class Rank(IntEnum):
    """Within one policy file, what its organisation's lists say of a term wins."""

    OWN = 0
    ORGANISATION = 1


@dataclass(frozen=True, slots=True)
class Replaced:
    """A term that stands twice: `place` is what holds, `other` what was there before.

    `rule` and `other_rule` are the ids, None for an allowed term.
    """

    place: str
    rule: str | None
    other: str
    other_rule: str | None


@dataclass(slots=True)
class _Term:
    text: str
    entry: Entry | None
    place: str
    rank: tuple[int, Rank]

    @property
    def rule(self) -> str | None:
        return self.entry.rule if self.entry else None


@dataclass(slots=True)
class TermTable:
    """Terms by their folded words. What a policy says of a term wins over what it extends says."""

    replaced: list[Replaced] = field(default_factory=list)
    _terms: dict[str, _Term] = field(default_factory=dict)

    def add(self, text: str, entry: Entry | None, place: str, rank: tuple[int, Rank]) -> None:
        """Take a term, or with no entry an allowed one; raises PolicyError where it stands already.

        In an organisation's lists a term may stand again: the first one holds.
        """
        folded = " ".join("".join(c if c.isalnum() else " " for c in fold(text).text).split())
        if not folded:
            raise PolicyError(f"{place}: a term needs a letter or digit")
        new = _Term(text, entry, place, rank)
        old = self._terms.get(folded)
        if old is not None:
            if rank == old.rank and rank[1] is Rank.OWN:
                raise PolicyError(f"{place}: this term stands already at {old.place}")
            kept, lost = (new, old) if rank > old.rank else (old, new)
            self.replaced.append(Replaced(kept.place, kept.rule, lost.place, lost.rule))
            if kept is old:
                return
            del self._terms[folded]
        self._terms[folded] = new

    @property
    def entries(self) -> list[Entry]:
        return [term.entry for term in self._terms.values() if term.entry is not None]

    @property
    def allowed(self) -> list[str]:
        return [term.text for term in self._terms.values() if term.entry is None]

    @property
    def places(self) -> dict[str, str]:
        """Where each term stands, by its id."""
        return {t.entry.rule: t.place for t in self._terms.values() if t.entry is not None}

    @property
    def allow_places(self) -> dict[str, str]:
        """Where each allowed term stands, by the term."""
        return {t.text: t.place for t in self._terms.values() if t.entry is None}
