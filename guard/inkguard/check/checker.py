"""From prompts to decisions: extract, classify, decide, and find a donor prompt."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from inkguard.check.donor import donor_prompt
from inkguard.check.findings import find_with_context
from inkguard.check.prompt_texts import PromptTexts
from inkguard.check.trace import CheckTrace, DonorAttempt, SearchResult
from inkguard.errors import ClassifierError, GuardError, InvalidInput
from inkguard.policy.apply import decide
from inkguard.policy.load import load_policy
from inkguard.policy.model import Mode, Policy
from inkguard.score.scorer import Scorer, load_scorer
from inkguard.timing import Stages
from inkguard.types import MAX_PROMPT, Action, Decision

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
class _Judgement:
    """What lists and classifier say of one prompt's texts, before anything is replaced."""

    texts: PromptTexts
    scores: tuple[Mapping[str, float], ...]
    search: SearchResult
    action: Action


class Checker:
    """Decides on prompts under one policy. `scorer` is None for a policy that uses lists only.

    >>> checker = load_checker()
    >>> checker.check('a sign that says "OPEN"').action
    <Action.ALLOW: 'allow'>
    """

    def __init__(self, policy: Policy, scorer: Scorer | None) -> None:
        self.policy = policy
        self._scorer = scorer
        self._ref = policy.ref

    def check(self, prompt: str) -> Decision:
        """The decision on one prompt; raises InvalidInput for one that is too long."""
        return self.trace(prompt).decision

    def check_many(self, prompts: Sequence[str], stages: Stages | None = None) -> list[Decision]:
        """Decisions in the order of `prompts`; the classifier runs once for all of them.

        `stages` gets the seconds for "extract" and "classify".
        """
        return [trace.decision for trace in self._traces(prompts, stages or Stages())]

    def trace(self, prompt: str) -> CheckTrace:
        """The decision on one prompt with every step to it; raises InvalidInput for one that is too long.

        `check` takes the same way and costs the same.
        """
        return self._traces([prompt], Stages())[0]

    def check_reading(self, text: str) -> Action:
        """The action for text that OCR read from a picture: the same as for a span that holds it."""
        if not text:
            return Action.ALLOW
        try:
            with _stage("extract"):
                texts = PromptTexts.of_drawn_text(self.policy, text)
            return self._judge([texts])[0].action
        except _StageError:
            return self.policy.on_error.verify

    def _traces(self, prompts: Sequence[str], stages: Stages) -> list[CheckTrace]:
        for prompt in prompts:
            if len(prompt) > MAX_PROMPT:
                raise InvalidInput("prompt", f"at most {MAX_PROMPT} code points, got {len(prompt)}")
        texts: list[PromptTexts] = []
        try:
            texts = self._derive(prompts, stages)
            with stages("classify"):
                judged = self._judge(texts)
        except _StageError as error:
            if len(prompts) == 1:
                return [self._failed(error.stage, texts[0] if texts else None)]
            # One bad prompt must not decide for its neighbours.
            return [self.trace(prompt) for prompt in prompts]
        donors = self._donors(judged, stages)
        return [self._decided(j, tuple(tried)) for j, tried in zip(judged, donors, strict=True)]

    def _derive(self, prompts: Sequence[str], stages: Stages) -> list[PromptTexts]:
        with stages("extract"), _stage("extract"):
            return [PromptTexts.of_prompt(self.policy, prompt) for prompt in prompts]

    def _judge(self, prompts: Sequence[PromptTexts]) -> list[_Judgement]:
        """Findings and action for each prompt; the classifier is called once for all."""
        known: Mapping[str, Mapping[str, float]] = {}
        if self._scorer is not None:
            wanted = list(dict.fromkeys(i.text for texts in prompts for i in texts.scoring_inputs))
            with _stage("classifier"):
                known = dict(zip(wanted, self._scorer.scores(wanted), strict=True))
        judged = []
        for texts in prompts:
            scores = None
            if self._scorer is not None:
                scores = tuple(known[i.text] for i in texts.scoring_inputs)
            with _stage("lists"):
                search = find_with_context(self.policy, texts, scores)
            action = decide(self.policy, search.findings)
            judged.append(_Judgement(texts, scores or (), search, action))
        return judged

    def _donors(self, judged: Sequence[_Judgement], stages: Stages) -> list[list[DonorAttempt]]:
        """For each prompt the donor prompts that were tried: the last one is accepted, or none is."""
        tried: list[list[DonorAttempt]] = [[] for _ in judged]
        for whole_spans in (False, True):
            wanted = [
                n
                for n, own in enumerate(judged)
                if own.action is Action.SUBSTITUTE and not any(a.accepted for a in tried[n])
            ]
            if not wanted:
                break
            prompts = [
                donor_prompt(
                    self.policy,
                    judged[n].texts,
                    judged[n].search.findings,
                    whole_spans=whole_spans,
                )
                for n in wanted
            ]
            try:
                texts = self._derive(prompts, stages)
                with stages("classify"):
                    again = self._judge(texts)
            except _StageError:
                break
            for n, prompt, verdict in zip(wanted, prompts, again, strict=True):
                tried[n].append(
                    DonorAttempt(
                        prompt=prompt,
                        whole_spans=whole_spans,
                        accepted=_acceptable(verdict, judged[n]),
                        action=verdict.action,
                        findings=verdict.search.findings,
                    )
                )
        return tried

    def _decided(self, judged: _Judgement, donors: tuple[DonorAttempt, ...]) -> CheckTrace:
        findings = judged.search.findings
        action, reason = judged.action, "findings" if findings else "clean"
        donor = next((attempt.prompt for attempt in donors if attempt.accepted), None)
        if action is Action.SUBSTITUTE and donor is None:
            action, reason = Action.BLOCK, "donor_rejected"
        decision = Decision(
            action=action,
            policy=self._ref,
            spans=judged.texts.spans,
            findings=findings,
            donor_prompt=donor,
            reason=reason,
        )
        return CheckTrace(
            decision=self._in_mode(decision),
            texts=judged.texts,
            scores=judged.scores,
            search=judged.search,
            donors=donors,
        )

    def _failed(self, stage: str, texts: PromptTexts | None) -> CheckTrace:
        """A stage failed: what the policy says, without findings."""
        decision = Decision(
            action=getattr(self.policy.on_error, stage),
            policy=self._ref,
            spans=() if texts is None else texts.spans,
            reason=f"{stage}_error",
        )
        return CheckTrace(decision=self._in_mode(decision), texts=texts)

    def _in_mode(self, decision: Decision) -> Decision:
        """In shadow mode a decision that would change the picture only flags; its reason says which."""
        if self.policy.mode is Mode.ENFORCE or decision.action <= Action.FLAG:
            return decision
        reason = f"{SHADOW}{decision.action}"
        return replace(decision, action=Action.FLAG, donor_prompt=None, reason=reason)


def _acceptable(donor: _Judgement, own: _Judgement) -> bool:
    """Whether a donor prompt may be drawn: nothing is found that is to be kept out of the picture.

    What was merely flagged is unchanged: the scene, which is not drawn, and spans that the policy lets
    be drawn. The new text adds no finding to those.
    """
    if donor.action > Action.FLAG:
        return False
    kept = {(f.rule, f.text) for f in own.search.findings if f.action is Action.FLAG}
    flagged = [f for f in donor.search.findings if f.action is Action.FLAG]
    inside = [f for f in flagged for s in donor.texts.spans if f.start < s.end and s.start < f.end]
    return all((f.rule, f.text) in kept for f in inside)


def load_checker(policy: Path | Policy | None = None, *, lists_only: bool = False) -> Checker:
    """A checker for a policy (a path, a loaded one, or None for the default one).

    With `lists_only` it leaves the policy's classifier out, and needs none of the models' packages::

        load_checker(lists_only=True).check('a sign that says "LOSER"').action
    """
    loaded = policy if isinstance(policy, Policy) else load_policy(policy)
    if lists_only:
        loaded = replace(loaded, detoxify={})
    scorer = load_scorer() if loaded.uses_classifier else None
    return Checker(loaded, scorer)
