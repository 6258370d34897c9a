"""What exceptions and tests may call a rule."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from inkguard.policy.rule_ids import RuleIds
from inkguard.policy.schema_types import meant, wrong

__all__ = ["RuleNames"]


@dataclass(frozen=True, slots=True)
class RuleNames:
    """The names that there are: insult, insult.mild, insult.mild#4f2a, detoxify, detoxify.insult.

    `held` are the ids of the entries that hold: not those of terms that another list replaces.
    """

    lists: Collection[str]
    labels: Collection[str]
    ids: RuleIds
    held: Collection[str]

    def named(self, name: str) -> str:
        """The name, or an id in the form that findings carry; raises what pydantic's validators raise."""
        if (now := self.ids.now_at(name)) is not None:
            raise wrong(
                "ids by position are no longer taken, since an edit of the list moves them; "
                f"at this position stands {now} now, which is the id to write if that term is meant"
            )
        candidates = self.ids.meant_by(name)
        if len(candidates) > 1:
            raise wrong("several terms have ids that begin so: " + ", ".join(candidates))
        if candidates and candidates[0] in self.held:
            return candidates[0]
        known = {name.partition(".")[0] for name in self.lists} | {*self.lists, "detoxify"}
        known |= {f"detoxify.{label}" for label in self.labels}
        if name not in known:
            raise wrong(f"the policy has no such rule; {meant(name, known, 'it has')}")
        return name
