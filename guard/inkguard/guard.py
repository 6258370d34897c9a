"""The whole path of one prompt: check, draw with substitution, verify, and say what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch

from inkguard.check.checker import Checker, load_checker
from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.draw.load import DEFAULT_MODEL, load_pipeline
from inkguard.draw.picture_call import GIVEN_PICTURE, TOXIC_PICTURE
from inkguard.draw.watch import OnStep
from inkguard.errors import Blocked, InvalidInput, UnguardedUse
from inkguard.families.registry import manifest_for
from inkguard.limits import MAX_GUIDANCE, MAX_PICTURES, MAX_STEPS
from inkguard.manifests.manifest import Manifest
from inkguard.policy.model import Policy
from inkguard.timing import Stages
from inkguard.types import Action, Decision, Outcome, Request, Rung, Verification
from inkguard.verify import Reader, reader_for

__all__ = ["Guard", "check_request", "wrap"]


def wrap(
    pipe: Any,
    *,
    policy: Path | Policy | None = None,
    manifest: Manifest | None = None,
    folder: Path | None = None,
    fallback: bool = False,
    unreached: bool = False,
    token_texts: Mapping[str, str] | None = None,
) -> GuardedPipeline:
    """Guard a loaded diffusers pipeline; the result is used like the pipeline itself.

    The manifest is looked for in `folder` and among the shipped ones unless given. A model without
    one raises UnsupportedModel, or, with `fallback`, is guarded by whole-prompt swap; one whose
    manifest missed its goal raises ManifestError, or, with `unreached`, is taken. `token_texts` says
    what tokens of textual inversion stand for, which is then checked in their place.

    Raises PolicyError, ManifestError, SubstitutionError for a denoiser that cannot be edited
    (fused projections, a cache, an attention processor of one's own), and VerificationError where
    OCR is wanted and not installed. Example::

        guarded = wrap(pipe, folder=Path("my-model"), policy=Path("shop.yaml")).to("cuda")
        image = guarded('a sign that says "HELLO"').images[0]
    """
    if type(pipe) is GuardedPipeline:
        raise UnguardedUse("the pipeline is guarded already: wrap the bare one")
    checker = load_checker(policy)
    chosen = manifest_for(pipe, folder, given=manifest, fallback=fallback, unreached=unreached)
    guarded = GuardedPipeline(
        pipe,
        checker,
        manifest=chosen,
        reader=reader_for(checker.policy),
        token_texts=token_texts,
    )
    guarded.refuse_unsupported()  # now, and not with the first prompt
    return guarded


class Guard:
    """A policy, a classifier and a model, loaded once. Thread-safe: pictures are drawn one at a time."""

    def __init__(
        self, checker: Checker, pipeline: GuardedPipeline, manifest: Manifest | None
    ) -> None:
        self.checker = checker
        self.manifest = manifest
        self.pipeline = pipeline

    @classmethod
    def load(
        cls,
        model: str | Path = DEFAULT_MODEL,
        policy: Path | Policy | None = None,
        *,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        reader: Reader | None = None,
        fallback: bool = False,
        unreached: bool = False,
    ) -> Self:
        """Load everything that a picture needs; `fallback` and `unreached` are those of `wrap`.

        Raises ModelError, UnsupportedModel (no manifest and no `fallback`), ManifestError,
        PolicyError, or VerificationError (OCR wanted but not installed).
        """
        checker = load_checker(policy)
        pipe, folder = load_pipeline(model, device=device, dtype=dtype)
        manifest = manifest_for(pipe, folder, fallback=fallback, unreached=unreached)
        if checker.policy.verify and reader is None:
            reader = reader_for(checker.policy)
        guarded = GuardedPipeline(pipe, checker, manifest=manifest, reader=reader)
        return cls(checker, guarded, manifest)

    def check(self, prompt: str) -> Decision:
        """What the policy says of a prompt; nothing is drawn."""
        return self.checker.check(prompt)

    def check_many(self, prompts: Sequence[str]) -> list[Decision]:
        """Decisions in the order of the prompts; faster than one by one."""
        return self.checker.check_many(prompts)

    def generate(
        self,
        request: Request,
        *,
        decision: Decision | None = None,
        on_step: OnStep | None = None,
    ) -> Outcome:
        """Draw under the guard. A blocked prompt is an answer, not an exception.

        `decision` is the prompt's decision where `check` was called already. `on_step` is called
        after every denoising step with (steps done, steps in all), again from 1 on each rung; what
        it raises stops the drawing within that step. Raises InvalidInput.
        """
        stages = Stages()
        check_request(request)
        self.pipeline.check_size(request.width, request.height)
        if decision is None:
            decision = self.checker.check_many([request.prompt], stages)[0]
        if decision.action is Action.BLOCK:
            return _blocked(request, decision, stages)
        try:
            drawing = self.pipeline.draw(
                _call(request), request.method, [decision], stages=stages, on_step=on_step
            )
        except Blocked as blocked:
            return _blocked(request, blocked.decision, stages)
        rung = drawing.rungs[0]
        return Outcome(
            decision=drawing.decisions[0],
            images=tuple(drawing.output.images),
            seed=request.seed,
            method=request.method,
            rung=rung,
            verification=drawing.verifications[0],
            sites=self.manifest.sites if self.manifest and rung is Rung.SITES else (),
            timings=stages.seconds,
        )


def check_request(request: Request) -> None:
    """Raise InvalidInput for what no model can draw."""
    if not request.prompt.strip():
        raise InvalidInput("prompt", "must not be empty")
    if not 1 <= request.steps <= MAX_STEPS:
        raise InvalidInput("steps", f"must be 1 to {MAX_STEPS}, got {request.steps}")
    if not 1 <= request.pictures <= MAX_PICTURES:
        raise InvalidInput("pictures", f"must be 1 to {MAX_PICTURES}, got {request.pictures}")
    if not 0 <= request.seed < 2**63 - MAX_PICTURES:
        raise InvalidInput("seed", f"must be 0 to 2**63 - {MAX_PICTURES + 1}, got {request.seed}")
    scale = request.guidance_scale
    if scale is not None and not 0 <= scale <= MAX_GUIDANCE:
        raise InvalidInput("guidance_scale", f"must be 0 to {MAX_GUIDANCE:g}, got {scale:g}")


def _call(request: Request) -> dict[str, Any]:
    """The pipeline call of a request; what it leaves open is the model's own."""
    generators = [
        torch.Generator("cpu").manual_seed(request.seed + n) for n in range(request.pictures)
    ]
    optional = {
        "guidance_scale": request.guidance_scale,
        "width": request.width,
        "height": request.height,
    }
    return {
        "prompt": [request.prompt],
        "num_inference_steps": request.steps,
        "num_images_per_prompt": request.pictures,
        "generator": generators if request.pictures > 1 else generators[0],
        **{k: v for k, v in optional.items() if v is not None},
    }


def _blocked(request: Request, decision: Decision, stages: Stages) -> Outcome:
    toxic = decision.reason in (TOXIC_PICTURE, GIVEN_PICTURE)
    return Outcome(
        decision=decision,
        images=(),
        seed=request.seed,
        method=request.method,
        rung=Rung.BLOCK,
        verification=Verification.TOXIC_TEXT if toxic else Verification.NOT_NEEDED,
        timings=stages.seconds,
    )
