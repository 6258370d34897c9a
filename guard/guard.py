"""The whole path of one prompt: check, draw with substitution, verify, and say what happened."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import torch

from guard.check import Checker, load_checker
from guard.errors import Blocked, InvalidInput, UnsupportedModel
from guard.generate.adapter import adapter_for
from guard.generate.load import DEFAULT_MODEL, load_pipeline
from guard.policy.model import Policy
from guard.substitute.manifest import Manifest, find_manifest
from guard.types import Action, Decision, Outcome, Request, Rung, Verification
from guard.verify import Reader, default_reader
from guard.wrap import GuardedPipeline

__all__ = ["Guard", "wrap"]

_MAX_STEPS = 1000


def wrap(
    pipe: Any,
    *,
    policy: Path | Policy | None = None,
    manifest: Manifest | None = None,
    folder: Path | None = None,
    fallback: bool = False,
) -> GuardedPipeline:
    """Guard a loaded diffusers pipeline; the result is called like the pipeline itself.

    The manifest is looked for in `folder` and among the shipped ones unless given. A model without
    one raises UnsupportedModel, or, with `fallback`, is guarded by whole-prompt swap.
    """
    checker = load_checker(policy)
    if manifest is None:
        try:
            manifest = find_manifest(adapter_for(pipe).denoiser(pipe), folder)
        except UnsupportedModel:
            if not fallback:
                raise
    reader = default_reader() if checker.policy.verify else None
    return GuardedPipeline(pipe, checker, manifest=manifest, reader=reader)


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
    ) -> Self:
        """Load everything that a picture needs.

        Raises ModelError, UnsupportedModel (no manifest and no `fallback`), ManifestError,
        PolicyError, or VerificationError (OCR wanted but not installed).
        """
        checker = load_checker(policy)
        pipe, folder = load_pipeline(model, device=device, dtype=dtype)
        manifest: Manifest | None = None
        try:
            manifest = find_manifest(adapter_for(pipe).denoiser(pipe), folder)
        except UnsupportedModel:
            if not fallback:
                raise
        if checker.policy.verify and reader is None:
            reader = default_reader()
        guarded = GuardedPipeline(
            pipe, checker, manifest=manifest, reader=reader, lock=threading.RLock()
        )
        return cls(checker, guarded, manifest)

    def check(self, prompt: str) -> Decision:
        """What the policy says of a prompt; nothing is drawn."""
        return self.checker.check(prompt)

    def check_many(self, prompts: Sequence[str]) -> list[Decision]:
        """Decisions in the order of the prompts; faster than one by one."""
        return self.checker.check_many(prompts)

    def generate(self, request: Request) -> Outcome:
        """Draw one picture under the guard. A blocked prompt is an answer, not an exception."""
        if not request.prompt.strip():
            raise InvalidInput("prompt: must not be empty")
        if not 1 <= request.steps <= _MAX_STEPS:
            raise InvalidInput(f"steps: must be 1 to {_MAX_STEPS}, got {request.steps}")
        if not 0 <= request.seed < 2**63:
            raise InvalidInput(f"seed: must be 0 to 2**63 - 1, got {request.seed}")
        decision = self.check(request.prompt)
        if decision.action is Action.BLOCK:
            return _blocked(request, decision)
        call: dict[str, Any] = {
            "prompt": [request.prompt],
            "num_inference_steps": request.steps,
            "generator": torch.Generator("cpu").manual_seed(request.seed),
        }
        if request.guidance_scale is not None:
            call["guidance_scale"] = request.guidance_scale
        try:
            drawing = self.pipeline.draw(call, request.method, [decision])
        except Blocked as blocked:
            return _blocked(request, blocked.decision)
        rung = drawing.rungs[0]
        return Outcome(
            decision=decision,
            image=drawing.output.images[0],
            seed=request.seed,
            method=request.method,
            rung=rung,
            verification=drawing.verifications[0],
            sites=self.manifest.sites if self.manifest and rung is Rung.SITES else (),
            timings=MappingProxyType(drawing.timings),
        )


def _blocked(request: Request, decision: Decision) -> Outcome:
    toxic = decision.reason == "toxic_text_in_picture"
    return Outcome(
        decision=decision,
        image=None,
        seed=request.seed,
        method=request.method,
        rung=Rung.BLOCK,
        verification=Verification.TOXIC_TEXT if toxic else Verification.NOT_NEEDED,
    )
