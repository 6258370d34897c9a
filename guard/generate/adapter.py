"""One small adapter per pipeline family, with one call shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from diffusers import StableDiffusion3Pipeline

from guard.errors import InvalidInput, UnsupportedModel
from guard.substitute.manifest import Manifest
from guard.substitute.rows import FlaggedPrompt
from guard.substitute.shadow import ShadowText

__all__ = ["Adapter", "Sd3Adapter", "adapter_for"]


MAX_SIDE = 4096
"""Longest side of a picture in pixels, where a model states none."""


def check_side(name: str, value: int | None, unit: int, most: int) -> None:
    """Raise InvalidInput unless `value` is None or a multiple of `unit` up to `most`, in pixels."""
    if value is not None and (not unit <= value <= most or value % unit):
        raise InvalidInput(name, f"must be a multiple of {unit} from {unit} to {most}, got {value}")


class Adapter(Protocol):
    """What the guard needs to know of a pipeline family."""

    @property
    def text_arguments(self) -> tuple[str, ...]:
        """Arguments of the call whose text the picture may show."""

    @property
    def embedding_arguments(self) -> tuple[str, ...]:
        """Arguments that bring text in unread; calls that use them are refused."""

    def denoiser(self, pipe: Any) -> Any:
        """The module that is edited."""

    def check_size(self, pipe: Any, width: int | None, height: int | None) -> None:
        """Raise InvalidInput for a size in pixels that the model cannot draw; None is its default."""

    def substituted(
        self,
        pipe: Any,
        manifest: Manifest,
        call: Mapping[str, Any],
        rows: Sequence[int],
        donors: Mapping[str, Sequence[str]],
    ) -> AbstractContextManager[object]:
        """A `with` block for the pipeline call `call`.

        `call` holds its text arguments as lists; `rows` are the flagged ones, `donors` the same
        lists with donor text in those rows.
        """


class Sd3Adapter:
    """`StableDiffusion3Pipeline`: joint attention, edited by the shadow text stream."""

    text_arguments = ("prompt", "prompt_2", "prompt_3")
    embedding_arguments = ("prompt_embeds", "pooled_prompt_embeds")

    def denoiser(self, pipe: StableDiffusion3Pipeline) -> Any:
        return pipe.transformer

    def check_size(
        self, pipe: StableDiffusion3Pipeline, width: int | None, height: int | None
    ) -> None:
        config = pipe.transformer.config
        unit = pipe.vae_scale_factor * config.patch_size
        most = unit * (config.pos_embed_max_size or MAX_SIDE // unit)
        check_side("width", width, unit, most)
        check_side("height", height, unit, most)

    def substituted(
        self,
        pipe: StableDiffusion3Pipeline,
        manifest: Manifest,
        call: Mapping[str, Any],
        rows: Sequence[int],
        donors: Mapping[str, Sequence[str]],
    ) -> ShadowText:
        own, _ = self._encode(pipe, call, {k: call.get(k) for k in self.text_arguments})
        donor, pooled = self._encode(pipe, call, {k: donors.get(k) for k in self.text_arguments})
        swap = manifest.swap_pooled
        return ShadowText(
            pipe.transformer,
            manifest.sites,
            [FlaggedPrompt(own[row], donor[row], pooled[row] if swap else None) for row in rows],
            unconditional=self._unconditional(pipe, call, len(own)),
            start_step=manifest.start_step,
        )

    @staticmethod
    def _options(pipe: Any, call: Mapping[str, Any]) -> dict[str, Any]:
        options: dict[str, Any] = {"device": pipe._execution_device}
        for key in ("max_sequence_length", "clip_skip"):
            if call.get(key) is not None:
                options[key] = call[key]
        scale = (call.get("joint_attention_kwargs") or {}).get("scale")
        return options | ({"lora_scale": scale} if scale is not None else {})

    @torch.no_grad()
    def _encode(
        self, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Any]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Joint (rows, tokens, width) and pooled states, from the batch that the pipeline will encode."""
        states, _, pooled, _ = pipe.encode_prompt(
            **texts, do_classifier_free_guidance=False, **self._options(pipe, call)
        )
        return states, pooled

    @torch.no_grad()
    def _unconditional(self, pipe: Any, call: Mapping[str, Any], count: int) -> torch.Tensor | None:
        """Negative prompts' joint states, as in the pipeline's own call; None without guidance."""
        if call.get("guidance_scale", 7.0) <= 1:
            return None
        given: torch.Tensor | None = call.get("negative_prompt_embeds")
        if given is not None:
            return given
        negative = {
            k: call[k]
            for k in ("negative_prompt", "negative_prompt_2", "negative_prompt_3")
            if k in call
        }
        prompts = {k: call.get(k) for k in self.text_arguments}
        states: torch.Tensor = pipe.encode_prompt(
            **prompts, **negative, do_classifier_free_guidance=True, **self._options(pipe, call)
        )[1]
        return states


_ADAPTERS: dict[str, Adapter] = {"StableDiffusion3Pipeline": Sd3Adapter()}


def adapter_for(pipe: Any) -> Adapter:
    """The adapter of a pipeline's class; raises UnsupportedModel for a family that is not known."""
    name = type(pipe).__name__
    if name not in _ADAPTERS:
        known = ", ".join(sorted(_ADAPTERS))
        raise UnsupportedModel(f"{name} is not supported; pipelines that are: {known}")
    return _ADAPTERS[name]
