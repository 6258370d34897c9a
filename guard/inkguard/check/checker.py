"""From prompts to decisions: extract, classify, decide, and find a donor prompt."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from inkguard.check.donor import donor_prompt
from inkguard.check.findings import find
from inkguard.check.scoring import Scored, scored_texts
from inkguard.errors import ClassifierError, GuardError, InvalidInput
from inkguard.extract import extract
from inkguard.policy.apply import decide
from inkguard.policy.load import load_policy
from inkguard.policy.model import Mode, Policy
from inkguard.score.scorer import Scorer, load_scorer
from inkguard.timing import Stages
from inkguard.types import MAX_PROMPT, Action, Decision, Finding, TextSpan

__all__ = ["SHADOW", "Checker", "Scorer", "load_checker"]

SHADOW = "shadow_"
"""Begins the reason of a decision that a policy in shadow mode does not enforce."""

_log = logging.getLogger(__name__)


class _StageError(GuardError):
    """A stage failed; the policy says what that means."""

    def __init__(self, stage: str) -> None:
        super().__init__(f"{stage} failed")
        self.stage = stage


@contextmanager
def _stage(name: str) -> Iterator[None]:
    """Whatever goes wrong inside is a failure of the stage; its message may quote the prompt."""
    try:
        yield
    except _StageError:
        raise
    except Exception as error:
        name = "classifier" if isinstance(error, ClassifierError) else name
        _log.error("%s failed: %s", name, type(error).__name__)
        raise _StageError(name) from None


@dataclass(frozen=True, slots=True)
class _Checked:
    spans: tuple[TextSpan, ...]
    findings: tuple[Finding, ...]
    action: Action


class Checker:
    """Decides on prompts under one policy. `scorer` is None for a policy that uses lists only."""

    def __init__(self, policy: Policy, scorer: Scorer | None) -> None:
        self.policy = policy
        self._scorer = scorer
        self._ref = policy.ref

    def check(self, prompt: str) -> Decision:
        """The decision on one prompt; raises InvalidInput for one that is too long."""
        return self.check_many([prompt])[0]

    def check_many(self, prompts: Sequence[str], stages: Stages | None = None) -> list[Decision]:
        """Decisions in the order of `prompts`; the classifier runs once for all of them.

        `stages` gets the seconds for "extract" and "classify".
        """
        stages = stages or Stages()
        for prompt in prompts:
            if len(prompt) > MAX_PROMPT:
                raise InvalidInput("prompt", f"at most {MAX_PROMPT} code points, got {len(prompt)}")
        try:
            checked = self._classify(prompts, stages)
        except _StageError as error:
            if len(prompts) == 1:
                return [self._on_error(prompts[0], error.stage)]
            # One bad prompt must not decide for its neighbours.
            return [self.check(prompt) for prompt in prompts]
        return self._with_donors(prompts, checked, stages)

    def check_reading(self, text: str) -> Action:
        """The action for text that OCR read from a picture: the same as for a span that holds it."""
        if not text:
            return Action.ALLOW
        span = TextSpan(start=0, end=len(text), text=text)
        try:
            return self._judge([(text, (span,))])[0].action
        except _StageError:
            return self.policy.on_error.verify

    def scores(self, texts: Sequence[Scored]) -> list[dict[str, float]] | None:
        """The classifier's scores for each text; None for a checker without one."""
        return None if self._scorer is None else self._scorer.scores([t.text for t in texts])

    def _classify(self, prompts: Sequence[str], stages: Stages) -> list[_Checked]:
        keeps = self.policy.extraction.keeps
        with stages("extract"), _stage("extract"):
            extracted = [(p, tuple(filter(keeps, extract(p)))) for p in prompts]
        with stages("classify"):
            return self._judge(extracted)

    def _judge(self, prompts: Sequence[tuple[str, tuple[TextSpan, ...]]]) -> list[_Checked]:
        """Findings and action for prompts with their spans, scored in one call of the classifier."""
        scores: Mapping[str, Mapping[str, float]] = {}
        read: list[list[Scored]] = []
        if self._scorer is not None:
            read = [scored_texts(self.policy, prompt, row) for prompt, row in prompts]
            texts = list(dict.fromkeys(text.text for row in read for text in row))
            with _stage("classifier"):
                scores = dict(zip(texts, self._scorer.scores(texts), strict=True))
        checked = []
        for number, (prompt, row) in enumerate(prompts):
            own = [scores[text.text] for text in read[number]] if read else None
            with _stage("lists"):
                findings = find(self.policy, prompt, row, own)
            checked.append(_Checked(row, findings, decide(self.policy, findings)))
        return checked

    def _with_donors(
        self, prompts: Sequence[str], checked: Sequence[_Checked], stages: Stages
    ) -> list[Decision]:
        """Complete the decisions; a prompt without an acceptable donor prompt is blocked."""
        donors: dict[int, str] = {}
        for whole_spans in (False, True):
            wanted = [
                n
                for n, c in enumerate(checked)
                if c.action is Action.SUBSTITUTE and n not in donors
            ]
            if not wanted:
                break
            tried = {n: self._donor(prompts[n], checked[n], whole_spans) for n in wanted}
            try:
                again = self._classify(list(tried.values()), stages)
            except _StageError:
                break
            donors |= {
                n: donor
                for (n, donor), verdict in zip(tried.items(), again, strict=True)
                if _acceptable(verdict, checked[n])
            }
        return [self._decision(c, donors.get(n)) for n, c in enumerate(checked)]

    def _donor(self, prompt: str, checked: _Checked, whole_spans: bool) -> str:
        return donor_prompt(
            self.policy, prompt, checked.spans, checked.findings, whole_spans=whole_spans
        )

    def _decision(self, checked: _Checked, donor: str | None) -> Decision:
        action, reason = checked.action, "findings" if checked.findings else "clean"
        if action is Action.SUBSTITUTE and donor is None:
            action, reason = Action.BLOCK, "donor_rejected"
        return self._in_mode(
            Decision(
                action=action,
                policy=self._ref,
                spans=checked.spans,
                findings=checked.findings,
                donor_prompt=donor,
                reason=reason,
            )
        )

    def _on_error(self, prompt: str, stage: str) -> Decision:
        """A stage failed: what the policy says, without findings."""
        spans = () if stage == "extract" else extract(prompt)
        return self._in_mode(
            Decision(
                action=getattr(self.policy.on_error, stage),
                policy=self._ref,
                spans=tuple(filter(self.policy.extraction.keeps, spans)),
                reason=f"{stage}_error",
            )
        )

    def _in_mode(self, decision: Decision) -> Decision:
        """In shadow mode a decision that would change the picture only flags; its reason says which."""
        if self.policy.mode is Mode.ENFORCE or decision.action <= Action.FLAG:
            return decision
        reason = f"{SHADOW}{decision.action}"
        return replace(decision, action=Action.FLAG, donor_prompt=None, reason=reason)


def _acceptable(donor: _Checked, own: _Checked) -> bool:
    """Whether a donor prompt may be drawn: nothing is found that is to be kept out of the picture.

    What was merely flagged is unchanged: the scene, which is not drawn, and spans that the policy lets
    be drawn. The new text adds no finding to those.
    """
    if donor.action > Action.FLAG:
        return False
    kept = {(f.rule, f.text) for f in own.findings if f.action is Action.FLAG}
    flagged = [f for f in donor.findings if f.action is Action.FLAG]
    inside = [f for f in flagged for s in donor.spans if f.start < s.end and s.start < f.end]
    return all((f.rule, f.text) in kept for f in inside)


def load_checker(policy: Path | Policy | None = None) -> Checker:
    """A checker for a policy (a path, a loaded one, or None for the default one)."""
    loaded = policy if isinstance(policy, Policy) else load_policy(policy)
    scorer = load_scorer() if loaded.uses_classifier else None
    return Checker(loaded, scorer)
