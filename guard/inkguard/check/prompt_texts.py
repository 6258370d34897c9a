"""Everything that is read of a prompt, derived once: for the word lists, the classifier and the donor prompt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from inkguard.check.scoring import ScoringInput, scoring_inputs
from inkguard.extract import Reassembly, as_encoder_reads, extract, reassemblies
from inkguard.match.fold import FoldedText
from inkguard.policy.model import Policy
from inkguard.text import MappedText
from inkguard.types import TextSpan

__all__ = ["PromptTexts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTexts:
    """One prompt and the texts that are derived from it.

    `encoder_view` is the prompt as a text encoder means it, and `folded` the prompt as word lists read it.
    `spans` are what the prompt wants drawn, and `left_out` those spans that the policy's `extraction` does not
    count. `reassemblies` are the other ways in which the spans may be read, and `scoring_inputs` what the
    classifier reads.

        >>> texts = PromptTexts.of_prompt(load_policy(), 'a sign "IDI" and "OT"')
        >>> [span.text for span in texts.spans]
        ['IDI', 'OT']
        >>> texts.scoring_inputs[-1].text
        'IDI OT'
    """

    prompt: str = field(repr=False)
    encoder_view: MappedText
    folded: FoldedText
    spans: tuple[TextSpan, ...]
    left_out: tuple[TextSpan, ...] = ()
    reassemblies: tuple[Reassembly, ...] = field(repr=False)
    scoring_inputs: tuple[ScoringInput, ...]

    @classmethod
    def of_prompt(cls, policy: Policy, prompt: str) -> Self:
        """The texts of a prompt. Never raises."""
        view = as_encoder_reads(prompt)
        extracted = extract(prompt, view)
        spans = tuple(filter(policy.extraction.keeps, extracted))
        return cls._of_spans(
            policy,
            prompt,
            view,
            spans,
            left_out=tuple(s for s in extracted if not policy.extraction.keeps(s)),
        )

    @classmethod
    def of_drawn_text(cls, policy: Policy, text: str) -> Self:
        """The texts of what OCR read from a picture, which is not empty: all of it is one span."""
        return cls._of_spans(
            policy, text, as_encoder_reads(text), (TextSpan(start=0, end=len(text), text=text),)
        )

    @classmethod
    def _of_spans(
        cls,
        policy: Policy,
        prompt: str,
        view: MappedText,
        spans: tuple[TextSpan, ...],
        left_out: tuple[TextSpan, ...] = (),
    ) -> Self:
        return cls(
            prompt=prompt,
            encoder_view=view,
            folded=FoldedText.of(prompt),
            spans=spans,
            left_out=left_out,
            reassemblies=reassemblies(prompt, spans, view),
            scoring_inputs=tuple(scoring_inputs(policy, prompt, spans)),
        )
