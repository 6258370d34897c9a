"""The trace of a check: what was read, seen, dropped and tried, from the pass that decides."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inkguard.check.checker import Checker
from inkguard.check.donor import donor_prompt
from inkguard.check.findings import find_with_context
from inkguard.check.scoring import over_thresholds, scoring_inputs
from inkguard.check.trace import CheckTrace, DropReason
from inkguard.errors import ClassifierError
from inkguard.extract import as_encoder_reads, extract, reassemblies
from inkguard.match.fold import fold
from inkguard.match.matcher import Matcher
from inkguard.policy.apply import ruled
from inkguard.policy.load import load_policy
from inkguard.policy.rules import PolicyException, Rule
from inkguard.types import Action

if TYPE_CHECKING:
    from types import CodeType, FrameType

POLICY = load_policy()
SMALL = """apiVersion: inkguard/v1
name: small
version: '1'
categories: {insult: rude}
wordlists: [words.yaml]
replacements: {words: {5: [apple], 6: [garden]}}
allow: allow.txt
"""
WORDS = """category: insult
rules:
  mild: {severity: mild, action: substitute, terms: [idiot, nitwit]}
  stem: {severity: mild, action: substitute, stems: [moron]}
  all: {severity: mild, action: flag, everywhere: true, terms: [nincompoop]}
"""


class Even:
    """A classifier with one score for every text."""

    def __init__(self, score: float) -> None:
        self.score = score

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        return [{"insult": self.score} for _ in texts]


class Broken:
    """A classifier that always fails."""

    def scores(self, texts: Sequence[str]) -> list[dict[str, float]]:
        raise ClassifierError("the classifier is down")


@pytest.fixture
def trace(tmp_path: Path) -> Callable[..., CheckTrace]:
    """Traces a prompt under a small policy with more at its end, and a classifier's one score."""

    def make(prompt: str, more: str = "", score: float | None = None) -> CheckTrace:
        (tmp_path / "words.yaml").write_text(WORDS)
        (tmp_path / "allow.txt").write_text("the idiot\noxymoron\n")
        (tmp_path / "policy.yaml").write_text(SMALL + more)
        policy = load_policy(tmp_path / "policy.yaml")
        return Checker(policy, None if score is None else Even(score)).trace(prompt)

    return make


def dropped(trace: CheckTrace) -> list[tuple[str, str | None, DropReason, str | None]]:
    return [(d.text, d.term, d.why, d.allowed) for d in trace.search.dropped]


@pytest.mark.parametrize(
    "prompt",
    ['a mug: "LOSER" and "SHUT UP"', "a cat", '"toidi"', '"L.O.S.E.R\n!"', "an idiot", ""],
)
def test_the_trace_is_of_the_decision(prompt: str) -> None:
    """What it holds is what the decision says, and the decision is the one that `check` gives."""
    checker = Checker(POLICY, Even(0.0))
    traced = checker.trace(prompt)
    assert traced.decision == checker.check(prompt)
    assert traced.search.findings == traced.decision.findings
    assert traced.texts is not None
    assert traced.texts.spans == traced.decision.spans
    assert len(traced.scores) == len(traced.texts.scoring_inputs)


def test_an_allowed_term_is_named_with_what_it_covers(trace: Callable[..., CheckTrace]) -> None:
    """The term that was seen, where, and the allow list's term that spans it."""
    traced = trace('a book "THE IDIOT"')
    assert traced.decision.action is Action.ALLOW
    assert dropped(traced) == [("IDIOT", "idiot", DropReason.ALLOWED, "the idiot")]
    (one,) = traced.search.dropped
    assert (one.start, one.end, one.source, one.reading) == (12, 17, "wordlist", "plain")


def test_a_found_term_is_not_dropped_as_well(trace: Callable[..., CheckTrace]) -> None:
    """The same word beside the allowed text is found, and each is told once."""
    traced = trace('a book "THE IDIOT" by a "GREAT IDIOT"')
    assert [f.text for f in traced.search.findings] == ["IDIOT"]
    assert dropped(traced) == [("IDIOT", "idiot", DropReason.ALLOWED, "the idiot")]


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ('"OXY" and "MORON"', ("OXYMORON", "moron", DropReason.ALLOWED, "oxymoron")),
        ('"SMOR" and "ONLYTOO"', ("SMORONLYTOO", "moron", DropReason.LONGER_WORD, None)),
    ],
)
def test_refused_reassemblies_are_told(
    trace: Callable[..., CheckTrace], prompt: str, told: tuple[Any, ...]
) -> None:
    """What reads so only when spans are put together, and is let be, is told with what was read."""
    assert told in dropped(trace(prompt))


def test_plain_words_that_only_happen_to_read_so() -> None:
    """Two plain words that spell a term across their gap are told as chance, and found as nothing."""
    traced = Checker(POLICY, None).trace('"A PEN" and "IS RED"')
    assert traced.decision.findings == ()
    assert [d.why for d in traced.search.dropped] == [DropReason.CHANCE]
    assert traced.search.dropped[0].source == "joined"


def test_what_the_policy_does_not_read(trace: Callable[..., CheckTrace]) -> None:
    """Spans of a kind that does not count, and terms outside of spans."""
    traced = trace("a sign saying IDIOT, and an idiot", "extraction: {unquoted: false}\n")
    assert traced.texts is not None
    assert [s.text for s in traced.texts.left_out] == ["IDIOT"]
    traced = trace("an idiot and a nincompoop", "whole_prompt: {check: false}\n")
    assert [f.text for f in traced.search.findings] == ["nincompoop"]
    assert dropped(traced) == [("idiot", "idiot", DropReason.OUTSIDE, None)]


def test_texts_that_are_read_in_vain_are_told(trace: Callable[..., CheckTrace]) -> None:
    """Every reading of every text, whether or not it hit anything."""
    read = {(r.source, r.label, r.text) for r in trace('"H3LLO" and "YOU"').search.readings()}
    assert {
        ("wordlist", "plain", "h3llo"),
        ("wordlist", "leet", "hello"),
        ("joined", "plain", "H3LLOYOU"),
        ("reversed", "plain", "UOYOLL3H"),
    } <= read


def test_who_decided(trace: Callable[..., CheckTrace]) -> None:
    """Each finding has the exception or the rule that decided, and what its list asked for."""
    more = (
        "rules:\n  - {name: house rule, when: {category: insult}, action: block}\n"
        "exceptions:\n  - {name: play, owner: arts@example.com, reason: r, expires: 2999-01-01,"
        " text: Idiot Brothers}\n"
    )
    excused, blocked = trace('"IDIOT BROTHERS" and "NITWIT"', more).search.ruled
    assert isinstance(excused.by, PolicyException)
    assert (excused.by.owner, excused.finding.action) == ("arts@example.com", Action.ALLOW)
    assert isinstance(blocked.by, Rule)
    assert (blocked.asked, blocked.finding.action) == (Action.SUBSTITUTE, Action.BLOCK)


def test_an_allowed_text_outweighs_its_score(trace: Callable[..., CheckTrace]) -> None:
    """A score over its threshold for a text that is an allowed term is told as dropped."""
    more = (
        "detoxify:\n  insult: {threshold: 0.5, category: insult, severity: mild, action: block}\n"
    )
    traced = trace('"OXYMORON"', more, 0.9)
    assert traced.scores == ({"insult": 0.9},)
    scored = [d for d in traced.search.dropped if d.source == "detoxify"]
    assert [(d.text, d.rule, d.why) for d in scored] == [
        ("OXYMORON", "detoxify.insult", DropReason.ALLOWED)
    ]


def test_refused_donor_prompts_are_told() -> None:
    """Both attempts, with what was found in them; of those that are accepted, the last one."""
    words = {len(word): (word,) for word in ("toidi", "toi")}
    harmful = replace(POLICY.replacements, words=words, phrases={})
    sign = 'a red sign that says "IDIOT"'
    traced = Checker(replace(POLICY, replacements=harmful), None).trace(sign)
    assert traced.decision.reason == "donor_rejected"
    assert [(a.whole_spans, a.accepted) for a in traced.donors] == [(False, False), (True, False)]
    assert all(a.findings and a.action > Action.FLAG for a in traced.donors)
    (accepted,) = Checker(POLICY, None).trace(sign).donors
    assert accepted.accepted
    assert accepted.prompt == Checker(POLICY, None).check(sign).donor_prompt


def test_a_failed_stage_leaves_what_came_before() -> None:
    """The texts are there, nothing after them is, and the decision names the stage."""
    traced = Checker(POLICY, Broken()).trace('"IDIOT"')
    assert traced.decision.reason == "classifier_error"
    assert traced.texts is not None
    assert [s.text for s in traced.texts.spans] == ["IDIOT"]
    assert (traced.scores, traced.search.ruled, traced.donors) == ((), (), ())


def test_the_trace_does_not_show_the_prompt() -> None:
    """Its `repr`, which ends up in logs, quotes neither the prompt nor a term."""
    traced = Checker(POLICY, Even(0.0)).trace('a mug "LOSER" and "DICK VAN DYKE" and "TOIDI"')
    shown = repr(traced).lower()
    assert not any(word in shown for word in ("loser", "dick", "toidi", "idiot", "mug"))


def arguments_of(call: Callable[[], object], functions: Sequence[Any]) -> dict[str, list[Any]]:
    """The first argument of every call of `functions` that `call` makes, by the function's name."""
    wanted: dict[CodeType, str] = {f.__code__: f.__qualname__ for f in functions}
    seen: dict[str, list[Any]] = defaultdict(list)

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in wanted:
            names = [n for n in frame.f_code.co_varnames if n not in ("self", "cls", "policy")]
            seen[wanted[frame.f_code]].append(frame.f_locals[names[0]])

    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    return seen


def test_everything_is_derived_once() -> None:
    """One check of a harmless prompt calls each step once, and folds and searches no text twice."""
    checker = Checker(POLICY, Even(0.0))
    prompt = 'a sign "HELLO" and "WORLD"'
    steps = (as_encoder_reads, extract, reassemblies, find_with_context, ruled)
    once = arguments_of(lambda: checker.check(prompt), steps)
    assert {name: len(calls) for name, calls in once.items()} == dict.fromkeys(
        (f.__qualname__ for f in steps), 1
    )
    folded = arguments_of(lambda: checker.check(prompt), [fold])["fold"]
    assert sorted(folded) == sorted(set(folded))
    searched = arguments_of(lambda: checker.trace(prompt), [Matcher.match])["Matcher.match"]
    assert len(searched) == len(checker.trace(prompt).search.searched)


def test_a_donor_prompt_is_derived_once_as_well() -> None:
    """With a substitution there are two prompts, the given one and the donor prompt; nothing more."""
    checker = Checker(POLICY, Even(0.0))
    steps = (as_encoder_reads, extract, reassemblies, find_with_context, over_thresholds)
    made = arguments_of(lambda: checker.check('"IDI" and "OT"'), (*steps, donor_prompt))
    assert {name: len(calls) for name, calls in made.items()} == {
        **dict.fromkeys((f.__qualname__ for f in steps), 2),
        "donor_prompt": 1,
    }
    assert len(arguments_of(lambda: checker.check("a cat"), [scoring_inputs])) <= 1
