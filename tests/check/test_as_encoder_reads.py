"""Prompts that a pipeline rewrites are checked as the model reads them. The rewriting is a real one."""

from __future__ import annotations

import html
from urllib.parse import unquote_plus

import pytest

from inkguard.check.as_encoder_reads import check_as_read
from inkguard.guard import Guard
from inkguard.types import Action, Decision

SIGN = 'a red sign that says "{}" on a blue background'


def read_twice(text: str) -> str:
    """Entities and escapes decoded twice, as in DeepFloyd IF."""
    return html.unescape(unquote_plus(html.unescape(unquote_plus(text)))).lower()


def check(guard: Guard, *prompts: str) -> list[Decision]:
    return check_as_read(guard.checker, read_twice, prompts, guard.check_many(prompts))


@pytest.mark.parametrize("word", ["WELCOME", "IDIOT"])
def test_letter_case_is_no_difference(guard: Guard, word: str) -> None:
    """A prompt that is only lower-cased keeps the decision on what was given."""
    prompt = SIGN.format(word)
    assert check(guard, prompt) == [guard.check(prompt)]


@pytest.mark.parametrize("hidden", ["%49%44%49%4f%54", "&#73;&#68;&#73;&#79;&#84;"])
def test_a_word_that_only_the_model_reads_decides(guard: Guard, hidden: str) -> None:
    """Offsets and the donor prompt are then of the text as read; the neighbours are as before."""
    harmless = SIGN.format("WELCOME")
    first, hit, last = check(guard, harmless, SIGN.format(hidden), harmless)
    assert first == last == guard.check(harmless)
    assert hit.action is Action.SUBSTITUTE
    assert hit.reason == "findings_as_read"
    read = read_twice(SIGN.format(hidden))
    assert [read[f.start : f.end] for f in hit.findings] == ["idiot"] * len(hit.findings)
    assert hit.donor_prompt is not None
    assert hit.donor_prompt.startswith('a red sign that says "')


def test_a_word_that_only_the_writer_sees_decides_as_well(guard: Guard) -> None:
    """The stricter of the two, though the model would not have read it."""
    prompt = SIGN.format("IDIOT")
    (decision,) = check_as_read(
        guard.checker, lambda text: text.replace("IDIOT", ""), [prompt], [guard.check(prompt)]
    )
    assert decision == guard.check(prompt)


def test_a_donor_that_the_model_would_read_otherwise_is_blocked(guard: Guard) -> None:
    """Rewriting that does not come to rest reads something that nobody has checked."""
    prompt = SIGN.format("IDIOT")
    (decision,) = check_as_read(
        guard.checker, lambda text: text + " and more", [prompt], [guard.check(prompt)]
    )
    assert decision.action is Action.BLOCK
    assert decision.reason == "donor_rejected_as_read"
    assert decision.donor_prompt is None
    assert decision.findings
