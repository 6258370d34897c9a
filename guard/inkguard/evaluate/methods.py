"""The ways to keep toxic text out that are compared, each as one call that draws one picture."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from PIL import Image

from inkguard.check.checker import Checker
from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.edit.two_pass import PatchText, RecordText, TextCache
from inkguard.errors import InvalidInput
from inkguard.evaluate.options import Compared
from inkguard.evaluate.prompts import ToxicPrompt
from inkguard.families.registry import adapter_for
from inkguard.manifests.manifest import Manifest
from inkguard.types import Method

__all__ = ["Methods"]


class Methods:
    """Draws prompts with a pipeline by each method; verification is off, there are no retries.

    `manifest` names the sites of `substitute` and `two_pass`; its `call` are the arguments of every
    call.
    """

    def __init__(self, pipe: Any, checker: Checker, manifest: Manifest, steps: int) -> None:
        self._pipe, self._adapter, self._manifest = pipe, adapter_for(pipe), manifest
        self._steps = steps
        self._guarded = GuardedPipeline(pipe, checker, manifest=manifest, reader=None)
        self._drawers: Mapping[Compared, Callable[[ToxicPrompt], Any]] = {
            Compared.NONE: lambda p: self._guard(p, Method.NONE),
            Compared.SUBSTITUTE: lambda p: self._guard(p, Method.SUBSTITUTE),
            Compared.PROMPT_SWAP: lambda p: self._guard(p, Method.PROMPT_SWAP),
            Compared.NEGATIVE_PROMPT: self._negative_prompt,
            Compared.TWO_PASS: self._two_pass,
        }

    def check(self, methods: Iterable[Compared]) -> None:
        """Raise InvalidInput where the model cannot be drawn with one of `methods`.

        Without guidance a pipeline ignores its negative prompt, and some do so without a word.
        """
        if Compared.NEGATIVE_PROMPT in methods:
            name, scale = _guidance(self._pipe, self._manifest.call)
            if scale <= 1:
                raise InvalidInput(
                    "--methods",
                    f"negative_prompt needs guidance, and {name} is {scale:g}: leave it out, or set "
                    f"{name} above 1 under `call` in the model's manifest",
                )

    def draw(self, method: Compared, prompt: ToxicPrompt) -> Image.Image:
        """One picture; the noise depends on the prompt's seed alone."""
        image: Image.Image = self._drawers[method](prompt).images[0]
        return image.convert("RGB")

    def _call(self, prompt: ToxicPrompt, text: str) -> dict[str, Any]:
        return {
            **self._manifest.call,
            "prompt": [text],
            "num_inference_steps": self._steps,
            # On the CPU wherever the model is, so that the noise does not depend on the device.
            "generator": torch.Generator("cpu").manual_seed(prompt.seed),
        }

    def _guard(self, prompt: ToxicPrompt, method: Method) -> Any:
        call = self._call(prompt, prompt.prompt)
        return self._guarded.draw(call, method, [prompt.decision]).output

    def _negative_prompt(self, prompt: ToxicPrompt) -> Any:
        """The pipeline's own negative prompt names the words."""
        call = self._call(prompt, prompt.prompt)
        return self._pipe(**call, negative_prompt=[", ".join(prompt.words)])

    def _two_pass(self, prompt: ToxicPrompt) -> Any:
        """The paper's patching: the donor prompt's generation, then the prompt's with its keys and values."""
        own = self._call(prompt, prompt.prompt)
        edit = self._adapter.substituted(
            self._pipe, self._manifest, own, [0], {"prompt": [prompt.donor_prompt]}
        )
        modules = [module for _, module in self._adapter.sites(self._pipe)]
        sites = {number: modules[number] for number in self._manifest.sites}
        denoiser = self._adapter.denoiser(self._pipe)
        donors = [replace(f, embeds=f.donor) for f in edit.flagged]
        cache: TextCache = {}
        with RecordText(denoiser, sites, donors, cache, start_step=edit.start_step):
            self._pipe(**self._call(prompt, prompt.donor_prompt), output_type="pt")
        with PatchText(denoiser, sites, edit.flagged, cache, start_step=edit.start_step):
            return self._pipe(**own)


def _guidance(pipe: Any, call: Mapping[str, Any]) -> tuple[str, float]:
    """Name and value of the scale with which a pipeline call heeds its negative prompt."""
    parameters = inspect.signature(type(pipe).__call__).parameters
    # Where there are both, `guidance_scale` is an input of the distilled denoiser (FLUX, Qwen-Image).
    name = "true_cfg_scale" if "true_cfg_scale" in parameters else "guidance_scale"
    given = call.get(name)
    return name, float(parameters[name].default if given is None else given)
