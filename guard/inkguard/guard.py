"""The product on one page: check a prompt, draw it with substitution, verify the picture, say what happened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch

from inkguard.check.checker import Checker, load_checker
from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.draw.load import DEFAULT_MODEL, load_pipeline
from inkguard.draw.picture_call import call_for
from inkguard.draw.watch import OnStep
from inkguard.errors import Blocked
from inkguard.families.registry import manifest_for
from inkguard.manifests.manifest import Manifest
from inkguard.picture import Picture
from inkguard.policy.model import Policy
from inkguard.timing import Stages
from inkguard.types import Action, CheckResult, Decision, Request, Result, Rung
from inkguard.verify import Reader, reader_for

__all__ = ["Guard"]


class Guard:
    """A policy, a classifier and a model, loaded once. Thread-safe: pictures are drawn one at a time.

    `pipeline` is the guarded pipeline that it draws with. Example::

        guard = Guard.load()
        result = guard.generate(Request(prompt='a red sign that says "LOSER"'))
    """

    def __init__(self, pipeline: GuardedPipeline) -> None:
        self.pipeline = pipeline

    @property
    def checker(self) -> Checker:
        """What decides on prompts, under the guard's policy."""
        return self.pipeline.parts.checker

    @property
    def manifest(self) -> Manifest | None:
        """What names the layers that are edited; None where whole prompts are swapped."""
        return self.pipeline.parts.manifest

    @classmethod
    def load(
        cls,
        model: str | Path = DEFAULT_MODEL,
        policy: Path | Policy | None = None,
        *,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        reader: Reader | str | None = None,
        fallback: bool = False,
        unreached: bool = False,
    ) -> Self:
        """Load everything that a picture needs; `reader`, `fallback` and `unreached` are those of `wrap`.

        Raises ModelError, UnsupportedModel (no manifest and no `fallback`), ManifestError,
        PolicyError, or VerificationError (OCR wanted but not installed).
        """
        checker = load_checker(policy)
        pipe, folder = load_pipeline(model, device=device, dtype=dtype)
        manifest = manifest_for(pipe, folder, fallback=fallback, unreached=unreached)
        reads = reader_for(checker.policy, reader)
        return cls(GuardedPipeline(pipe, checker, manifest=manifest, reader=reads))

    def check(self, prompt: str) -> Decision:
        """What the policy says of a prompt; nothing is drawn."""
        return self.checker.check(prompt)

    def check_many(self, prompts: Sequence[str]) -> list[Decision]:
        """Decisions in the order of the prompts; faster than one by one."""
        return self.checker.check_many(prompts)

    def generate(self, request: Request, *, on_step: OnStep | None = None) -> Result:
        """Draw under the guard. A blocked prompt is an answer, not an exception.

        `on_step` is called after every denoising step with (steps done, steps in all), again from 1
        on each rung; what it raises stops the drawing within that step. Raises InvalidInput.
        """
        request.validate()
        self.pipeline.check_size(request.width, request.height)
        if request.negative_prompt is not None:
            self.pipeline.check_takes("negative_prompt")
        stages = Stages()
        decision = self.checker.check_many([request.prompt], stages)[0]
        return self.draw(request, CheckResult(decision=decision, timings=stages.seconds), on_step)

    def draw(self, request: Request, checked: CheckResult, on_step: OnStep | None = None) -> Result:
        """`generate` for a request that was validated and checked already, as a server does on its way in."""
        stages = Stages(checked.timings)
        if checked.decision.action is Action.BLOCK:
            return Result.of_blocked(request, checked.decision, stages.seconds)
        try:
            drawing = self.pipeline.draw(
                call_for(request),
                request.method,
                [checked.decision],
                stages=stages,
                on_step=on_step,
            )
        except Blocked as blocked:
            return Result.of_blocked(request, blocked.decision, stages.seconds)
        (row,) = drawing.rows
        return Result(
            decision=row.decision,
            pictures=tuple(Picture(image=image) for image in drawing.output.images),
            seed=request.seed,
            method=request.method,
            rung=row.rung,
            verification=row.verification,
            sites=self.manifest.sites if self.manifest and row.rung is Rung.SITES else (),
            timings=stages.seconds,
        )
