"""The terms of all word lists and allow-lists of a policy, each of them once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum

from inkguard.match.fold import fold
from inkguard.match.matcher import Entry
from inkguard.policy.rule_ids import RuleIds, term_digest
from inkguard.policy.yaml_positions import Mistakes

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
    digest: str


@dataclass(slots=True)
class TermTable:
    """Terms by their folded words. What a policy says of a term wins over what it extends says."""

    mistakes: Mistakes
    ids: RuleIds = field(default_factory=RuleIds)
    _terms: dict[str, _Term] = field(default_factory=dict)
    _replaced: list[tuple[_Term, _Term]] = field(default_factory=list)

    def add(self, text: str, entry: Entry | None, place: str, rank: tuple[int, Rank]) -> None:
        """Take a term, or with no entry an allowed one.

        An entry's `rule` is that of its list; its id is made when all terms are known. A term that has no
        letters, or that stands already, is noted as a mistake; in an organisation's lists it may stand
        again, and the first one holds.
        """
        folded = " ".join("".join(c if c.isalnum() else " " for c in fold(text).text).split())
        if not folded:
            self.mistakes.add(place, "a term needs a letter or digit")
            return
        digest = ""
        if entry is not None:
            digest = term_digest(entry.matching.value, folded)
            self.ids.add(entry.rule, digest)
        new = _Term(text, entry, place, rank, digest)
        old = self._terms.get(folded)
        if old is not None:
            if rank == old.rank and rank[1] is Rank.OWN:
                self.mistakes.add(place, f"this term stands already at {old.place}")
                return
            kept, lost = (new, old) if rank > old.rank else (old, new)
            self._replaced.append((kept, lost))
            if kept is old:
                return
            del self._terms[folded]
        self._terms[folded] = new

    def _id(self, term: _Term) -> str | None:
        return None if term.entry is None else self.ids.id_of(term.entry.rule, term.digest)

    @property
    def entries(self) -> list[Entry]:
        """The terms that hold, with their ids."""
        return [
            replace(term.entry, rule=self.ids.id_of(term.entry.rule, term.digest))
            for term in self._terms.values()
            if term.entry is not None
        ]

    @property
    def allowed(self) -> list[str]:
        return [term.text for term in self._terms.values() if term.entry is None]

    @property
    def places(self) -> dict[str, str]:
        """Where each term stands, by its id."""
        return {rule: t.place for t in self._terms.values() if (rule := self._id(t)) is not None}

    @property
    def replaced(self) -> list[Replaced]:
        """The terms that stand twice, in the order in which they were met."""
        return [
            Replaced(kept.place, self._id(kept), lost.place, self._id(lost))
            for kept, lost in self._replaced
        ]

    @property
    def allow_places(self) -> dict[str, str]:
        """Where each allowed term stands, by the term."""
        return {t.text: t.place for t in self._terms.values() if t.entry is None}
