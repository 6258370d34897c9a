"""Ids of the entries of word lists: digests of what is listed, so that no edit moves an id.

`insult.mild#4f2a` is the list rule `insult.mild` and the first digits of a SHA-256 of the kind of match and
the folded term. An id holds no word, and no position: exceptions name ids, and an exception is a hole in
the guard that must not move to another word when a list is edited.

**Short ids.** Four digits are enough for most terms of a rule. Terms of one rule that share them get eight
(then twelve, and so on), all of them: were the short id left to one of the two, the other, where it
came first, would have lost it, and an exception would now mean another word. So another term changes an
id only where both begin with the same four digits and are of the same rule: for one added term, once in
65,536 for each term that the rule has. What other rules, lists and policy files say changes no id.

**References.** An exception may name any beginning of four or more digits that fits one term alone. One that
fits two is refused when the policy is loaded, so that it cannot slip from one to the other.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from inkguard.policy.schema_types import meant, wrong

__all__ = ["FORMAT", "RuleIds", "RuleNames", "list_rule_of", "reads_like_an_id", "term_digest"]

FORMAT = "digest-1"
"""Which kind of ids these are; the decision log says it, so that records of other kinds stay readable."""

_STEP = 4
_REFERENCE = re.compile(rf"(?P<rule>.+)#(?P<digits>[0-9a-f]{{{_STEP},64}})")
_POSITION = re.compile(r"(?P<rule>.+)/(?P<number>[0-9]{1,9})")


def term_digest(kind: str, text: str) -> str:
    """The 64 digits that ids of an entry begin with.

    `kind` is how it is matched (`terms`, `exact`, `stems`, `patterns`), `text` the folded term or the
    regular expression as it is written.
    """
    return hashlib.sha256(f"{kind}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()


def list_rule_of(rule: str) -> str:
    """The list rule that an id belongs to: `insult.mild` of `insult.mild#4f2a`."""
    return rule.rpartition("#")[0]


def reads_like_an_id(rule: str) -> bool:
    """Whether a list rule's name could be taken for a term's id, so that an exception for one is for both."""
    return re.search(rf"#[0-9a-f]{{{_STEP}}}", rule) is not None


@dataclass(slots=True)
class RuleIds:
    """The ids of all entries of a policy. First every entry is added, then ids are asked for."""

    _digests: dict[str, list[str]] = field(default_factory=dict)
    _lengths: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, rule: str, digest: str) -> None:
        """Take an entry of a list rule, in the order in which the rule has them."""
        self._digests.setdefault(rule, []).append(digest)
        self._lengths.pop(rule, None)

    def id_of(self, rule: str, digest: str) -> str:
        """The id of an entry that was added."""
        if rule not in self._lengths:
            self._lengths[rule] = _lengths(set(self._digests[rule]))
        return f"{rule}#{digest[: self._lengths[rule][digest]]}"

    def meant_by(self, reference: str) -> list[str]:
        """The ids of the entries that a reference such as `insult.mild#4f2a` may mean."""
        found = _REFERENCE.fullmatch(reference)
        if found is None:
            return []
        digests = set(self._digests.get(found["rule"], ()))
        fitting = sorted(d for d in digests if d.startswith(found["digits"]))
        return [self.id_of(found["rule"], digest) for digest in fitting]

    def now_at(self, position: str) -> str | None:
        """The id of what stands at a position such as `insult.mild/3`, as ids were before `digest-1`.

        None where it is no position, or nothing stands there. `terms` count first, then `exact`, `stems`
        and `patterns`; in an organisation's list rows count.
        """
        found = _POSITION.fullmatch(position)
        if found is None:
            return None
        digests, number = self._digests.get(found["rule"], ()), int(found["number"])
        return (
            self.id_of(found["rule"], digests[number - 1]) if 0 < number <= len(digests) else None
        )


@dataclass(frozen=True, slots=True)
class RuleNames:
    """What exceptions and tests may call a rule: insult, insult.mild, insult.mild#4f2a, detoxify, detoxify.insult.

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


def _lengths(digests: set[str]) -> dict[str, int]:
    """How many digits set each digest apart from the others, in steps of four."""
    return dict(_set_apart(digests, _STEP))


def _set_apart(digests: set[str], length: int) -> Iterator[tuple[str, int]]:
    shared = Counter(digest[:length] for digest in digests)
    again = {digest for digest in digests if shared[digest[:length]] > 1}
    yield from ((digest, length) for digest in digests - again)
    if again:
        yield from _set_apart(again, length + _STEP)
