"""Checking prompts as the model reads them, where that is not as they were written.

DeepFloyd IF decodes entities and %-escapes and strips markup before its encoder reads a prompt; every
tokenizer cuts what is too long for its encoder, in the middle of a word where that comes so. A word can then be
in what is drawn and not in what was written. All texts are checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from inkguard.check.checker import Checker
from inkguard.timing import Stages
from inkguard.types import Action, Decision

__all__ = ["AS_READ", "check_as_read"]

AS_READ = "_as_read"
"""Ends the reason of a decision whose offsets and donor prompt belong to the text as read."""


def _no_other(_text: str) -> list[str]:
    return []


def check_as_read(
    checker: Checker,
    read: Callable[[str], str],
    texts: Sequence[str],
    decisions: Sequence[Decision],
    stages: Stages | None = None,
    *,
    tokenized: Callable[[str], list[str]] = _no_other,
) -> list[Decision]:
    """The strictest decision on each text: as given (`decisions`), or as the model reads it.

    The pipeline reads `read(text)`, and its tokenizers may make each of `tokenized(...)` of that.
    A donor prompt that the pipeline would read otherwise than it was checked is rejected: blocked.
    Letter case and outer spaces are no difference. One of which a tokenizer would leave something
    toxic is rejected as well.
    """
    strictest = list(decisions)
    rewritten = {n: text for n, given in enumerate(texts) if not _same(text := read(given), given)}
    again = checker.check_many([*rewritten.values()], stages) if rewritten else []
    for n, decision in zip(rewritten, again, strict=True):
        given = strictest[n].action
        # Of two donor prompts the one for what the model reads is the one that fits it.
        if decision.action > given or decision.action is given is Action.SUBSTITUTE:
            strictest[n] = replace(decision, reason=decision.reason + AS_READ)
    strictest = [_with_readable_donor(decision, read) for decision in strictest]

    for n, text in enumerate(texts):
        parts = tokenized(rewritten.get(n, text))
        found = checker.check_many(parts, stages) if parts else []
        strictest[n] = _with_whole_donor(
            checker,
            tokenized,
            [strictest[n], *(replace(d, reason=d.reason + AS_READ) for d in found)],
        )
    return strictest


def _with_whole_donor(
    checker: Checker, tokenized: Callable[[str], list[str]], decisions: Sequence[Decision]
) -> Decision:
    """The strictest decision; of several donor prompts the first that tokenizers leave harmless."""
    strictest = max(decisions, key=lambda d: d.action)
    if strictest.action is not Action.SUBSTITUTE:
        return strictest
    for decision in decisions:
        donor = decision.donor_prompt
        left = [] if donor is None else tokenized(donor)
        found = checker.check_many(left) if left else []
        if donor is not None and all(d.action <= Action.FLAG for d in found):
            return decision
    return replace(strictest, action=Action.BLOCK, donor_prompt=None, reason="donor_rejected")


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
