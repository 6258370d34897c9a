"""The frozen records that carry one prompt through the guard.

Offsets are half-open, in Unicode code points, into the *original* prompt: for every span and
finding `text == prompt[start:end]`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from PIL import Image

from inkguard.frozen import FrozenDict, freeze

__all__ = [
    "Action",
    "Decision",
    "Finding",
    "Method",
    "Outcome",
    "PolicyRef",
    "Request",
    "Rung",
    "Severity",
    "TextSpan",
    "Verification",
]


class _Ordered(enum.Enum):
    """An enum of strings whose members compare in the order of their definition."""

    rank: int

    def __init__(self, _: str) -> None:
        self.rank = len(type(self).__members__)  # of those defined before

    def __lt__(self, other: Self) -> bool:
        return self.rank < other.rank

    def __le__(self, other: Self) -> bool:
        return self.rank <= other.rank

    def __gt__(self, other: Self) -> bool:
        return self.rank > other.rank

    def __ge__(self, other: Self) -> bool:
        return self.rank >= other.rank

    def __str__(self) -> str:
        return str(self.value)


class Action(_Ordered):
    """What is done with a prompt, from the mildest to the strictest."""

    ALLOW = "allow"
    FLAG = "flag"
    SUBSTITUTE = "substitute"
    BLOCK = "block"


class Severity(_Ordered):
    """How bad a finding is; mild insults are a severity of their own."""

    MILD = "mild"
    MODERATE = "moderate"
    SEVERE = "severe"


class Method(enum.StrEnum):
    """How a picture is drawn for a prompt whose decision is `substitute`."""

    SUBSTITUTE = "substitute"
    PROMPT_SWAP = "prompt_swap"
    NONE = "none"


class Rung(enum.StrEnum):
    """Which attempt answered: the sites, all layers, or no picture at all."""

    UNGUARDED = "unguarded"
    SITES = "sites"
    ALL_LAYERS = "all_layers"
    BLOCK = "block"


class Verification(enum.StrEnum):
    """What OCR said of the picture that is returned."""

    CLEAN = "clean"
    TOXIC_TEXT = "toxic_text"
    NOT_VERIFIED = "not_verified"
    NOT_NEEDED = "not_needed"


class VerifyWith(enum.Enum):
    """Which OCR engines read pictures back: those that are used by default, or every one that is known."""

    DEFAULT = "default"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSpan:
    """Text that the prompt wants drawn. `cue` tells how it was found: "quoted" or "unquoted"."""

    start: int
    end: int
    text: str = field(repr=False)
    cue: str = "quoted"

    def __post_init__(self) -> None:
        _check_offsets(self.start, self.end, self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason to act. `rule` names the policy's rule, `source` the finder.

    `score` is in 0..1 (1.0 for word lists); `action` is what the policy asks for this finding.
    """

    start: int
    end: int
    text: str = field(repr=False)
    source: str
    rule: str
    category: str
    severity: Severity
    score: float
    action: Action

    def __post_init__(self) -> None:
        _check_offsets(self.start, self.end, self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRef:
    """The policy that a decision was made under. `digest` is over all of its files."""

    name: str
    version: str
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the guard does with a prompt, and why.

    `donor_prompt` is set exactly when `action` is `substitute`. `reason` is a short code without
    user text ("findings", "donor_rejected", "classifier_error", ...). Where it ends in "_as_read", the
    pipeline rewrites its prompts (DeepFloyd IF), and offsets and donor prompt belong to the text as read.
    """

    action: Action
    policy: PolicyRef
    spans: tuple[TextSpan, ...] = ()
    findings: tuple[Finding, ...] = ()
    donor_prompt: str | None = field(default=None, repr=False)
    reason: str = "clean"

    def __post_init__(self) -> None:
        if (self.donor_prompt is not None) != (self.action is Action.SUBSTITUTE):
            raise ValueError("donor_prompt goes with the action substitute, and with no other")

    def to_json(self) -> dict[str, object]:
        """The contract of `inkguard check --jsonl`, without the id."""
        return {
            "action": str(self.action),
            "findings": [
                {
                    "start": f.start,
                    "end": f.end,
                    "text": f.text,
                    "source": f.source,
                    "rule": f.rule,
                    "category": f.category,
                    "severity": str(f.severity),
                    "score": round(f.score, 4),
                }
                for f in self.findings
            ],
            "donor_prompt": self.donor_prompt,
            "policy": {"name": self.policy.name, "version": self.policy.version},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Pictures of one prompt. Sizes in pixels; None means the model's own default.

    Picture n of `pictures` is drawn from the seed `seed + n`. Not every model takes a `negative_prompt`,
    and the wire has none.
    """

    prompt: str = field(repr=False)
    seed: int = 0
    steps: int = 20
    guidance_scale: float | None = None
    negative_prompt: str | None = field(default=None, repr=False)
    width: int | None = None
    height: int | None = None
    pictures: int = 1
    method: Method = Method.SUBSTITUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a request. `images` is empty exactly when the request was blocked.

    `sites` are the numbers of the attention modules that read the donor's text; `timings` are
    seconds per stage (`inkguard.timing.STAGES`).
    """

    decision: Decision
    images: tuple[Image.Image, ...]
    seed: int
    method: Method
    rung: Rung
    verification: Verification
    sites: tuple[int, ...] = ()
    timings: Mapping[str, float] = FrozenDict()

    def __post_init__(self) -> None:
        freeze(self)

    @property
    def image(self) -> Image.Image | None:
        """The first picture."""
        return self.images[0] if self.images else None

    @property
    def blocked(self) -> bool:
        return not self.images


def _check_offsets(start: int, end: int, text: str) -> None:
    if not 0 <= start < end or end - start != len(text):
        raise ValueError(f"offsets {start}:{end} do not hold a text of {len(text)} code points")
