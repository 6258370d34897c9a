"""Checking prompts as the model reads them, where a pipeline rewrites them first.

DeepFloyd IF decodes entities and %-escapes and strips markup before its encoder reads a prompt, so a
word can be in what is drawn and not in what was written. Both texts are checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from guard.check import Checker
from guard.timing import Stages
from guard.types import Action, Decision

__all__ = ["AS_READ", "check_as_read"]

AS_READ = "_as_read"
"""Ends the reason of a decision whose offsets and donor prompt belong to the text as read."""


def check_as_read(
    checker: Checker,
    read: Callable[[str], str],
    texts: Sequence[str],
    decisions: Sequence[Decision],
    stages: Stages | None = None,
) -> list[Decision]:
    """The stricter decision on each text: as given (`decisions`), or as `read` by the model.

    A donor prompt that the model would read otherwise than it was checked is rejected: blocked.
    Letter case and outer spaces are no difference.
    """
    strictest = list(decisions)
    rewritten = {n: text for n, given in enumerate(texts) if not _same(text := read(given), given)}
    again = checker.check_many([*rewritten.values()], stages) if rewritten else []
    for n, decision in zip(rewritten, again, strict=True):
        given = strictest[n].action
        # Of two donor prompts the one for what the model reads is the one that fits it.
        if decision.action > given or decision.action is given is Action.SUBSTITUTE:
            strictest[n] = replace(decision, reason=decision.reason + AS_READ)
    return [_with_readable_donor(decision, read) for decision in strictest]


def _with_readable_donor(decision: Decision, read: Callable[[str], str]) -> Decision:
    donor = decision.donor_prompt
    if donor is None or _same(read(donor), donor):
        return decision
    as_read = AS_READ if decision.reason.endswith(AS_READ) else ""
    return replace(
        decision, action=Action.BLOCK, donor_prompt=None, reason="donor_rejected" + as_read
    )


def _same(read: str, given: str) -> bool:
    return read.lower().strip() == given.lower().strip()
