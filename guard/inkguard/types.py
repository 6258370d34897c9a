"""The frozen records that carry one prompt through the guard.

Offsets are half-open, in Unicode code points, into the *original* prompt: for every span and
finding `text == prompt[start:end]`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from inkguard.errors import InvalidInput
from inkguard.frozen import FrozenDict, freeze
from inkguard.picture import Picture

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "GIVEN_PICTURE",
    "LIMITS",
    "MAX_PROMPT",
    "TOXIC_PICTURE",
    "Action",
    "CheckResult",
    "Decision",
    "Finding",
    "Limits",
    "Method",
    "PolicyRef",
    "Progress",
    "Request",
    "Result",
    "Rung",
    "Severity",
    "TextSpan",
    "Verification",
    "VerifyWith",
    "validate_prompt",
]

TOXIC_PICTURE = "toxic_text_in_picture"
"""The reason of a block after drawing: OCR reads toxic text in the picture."""
GIVEN_PICTURE = "toxic_text_in_given_picture"
"""The reason of a block before drawing: OCR reads toxic text in a picture that was handed in."""
MAX_PROMPT = 100_000
"""Longest prompt that is checked, in code points."""
_MAX_SEED = 2**63 - 17
"""The seed of a request's last picture is still a signed 64-bit number, as PyTorch's generators want it."""


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
class CheckResult:
    """A decision, and how long it took: `timings` are seconds per stage (`inkguard.timing.STAGES`)."""

    decision: Decision
    timings: Mapping[str, float] = FrozenDict()

    def __post_init__(self) -> None:
        freeze(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest request. The defaults are bounds that no model and no server goes beyond.

    `prompt` is in code points, `side` in pixels. The pictures of a request are drawn in one batch.
    """

    prompt: int = MAX_PROMPT
    steps: int = 1000
    pictures: int = 16
    guidance_scale: float = 100
    side: int = 16_384


LIMITS = Limits()


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

    def validate(self, limits: Limits = LIMITS) -> None:
        """Raise InvalidInput, which names the field, the limit and the value.

        Which sizes a model can draw is the model's own matter (`GuardedPipeline.check_size`).
        """
        validate_prompt(self.prompt, limits)
        for name, least, most in (
            ("steps", 1, limits.steps),
            ("pictures", 1, limits.pictures),
            ("guidance_scale", 0, limits.guidance_scale),
            ("width", 1, limits.side),
            ("height", 1, limits.side),
        ):
            value: float | None = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise InvalidInput(name, f"must be {least} to {most}, got {value}")
        if not 0 <= self.seed <= _MAX_SEED:
            raise InvalidInput("seed", f"must be 0 to 2**63 - 17, got {self.seed}")


def validate_prompt(prompt: str, limits: Limits = LIMITS) -> None:
    """Raise InvalidInput for a prompt without text, and for one that is too long."""
    if not prompt.strip():
        raise InvalidInput("prompt", "must not be empty")
    if len(prompt) > limits.prompt:
        raise InvalidInput("prompt", f"at most {limits.prompt} code points, got {len(prompt)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A denoising step is done: `step` of `steps`. `attempt` counts the rungs from 1."""

    step: int
    steps: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a request, in process and over the wire. Without a picture exactly when it was blocked.

    `sites` are the numbers of the attention modules that read the donor's text; `timings` are
    seconds per stage (`inkguard.timing.STAGES`). `model` is the server's name of the model, empty in process.
    """

    decision: Decision
    pictures: tuple[Picture, ...] = field(repr=False)
    seed: int
    method: Method
    rung: Rung
    verification: Verification
    sites: tuple[int, ...] = ()
    timings: Mapping[str, float] = FrozenDict()
    model: str = ""

    def __post_init__(self) -> None:
        freeze(self)

    @classmethod
    def of_blocked(
        cls, request: Request, decision: Decision, timings: Mapping[str, float], model: str = ""
    ) -> Self:
        """The result of a request that `decision` blocks, before drawing or after it."""
        read = decision.reason in (TOXIC_PICTURE, GIVEN_PICTURE)
        return cls(
            decision=decision,
            pictures=(),
            seed=request.seed,
            method=request.method,
            rung=Rung.BLOCK,
            verification=Verification.TOXIC_TEXT if read else Verification.NOT_NEEDED,
            timings=timings,
            model=model,
        )

    @property
    def images(self) -> tuple[Image.Image, ...]:
        """The pictures' pixels."""
        return tuple(picture.image for picture in self.pictures)

    @property
    def pngs(self) -> tuple[bytes, ...]:
        """The pictures as PNG files."""
        return tuple(picture.png for picture in self.pictures)

    @property
    def image(self) -> Image.Image | None:
        """The first picture's pixels; None where the request was blocked."""
        return self.pictures[0].image if self.pictures else None

    @property
    def blocked(self) -> bool:
        return not self.pictures


def _check_offsets(start: int, end: int, text: str) -> None:
    if not 0 <= start < end or end - start != len(text):
        raise ValueError(f"offsets {start}:{end} do not hold a text of {len(text)} code points")
