"""Substitution in transformers that project the caption once, before their blocks: PixArt and Sana.

At a site (`attn2` of a block) flagged rows read the donor's text instead of their own, as in a U-Net
(cross.py). Here that text has gone through the model's own projection and norm, so the donor's goes
through them too, in a batch of the same shape: rounding is then the same. These models mask the
padding of captions; a flagged row reads with its donor's mask.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from diffusers import PixArtTransformer2DModel, SanaTransformer2DModel
from torch import nn

from inkguard.edit.sites import caption_sites
from inkguard.edit.substitution import Substitution, refuse_hooked, refuse_missing_sites
from inkguard.errors import SubstitutionError

__all__ = ["CaptionText"]

_NO_BIAS = 0.0
_MASKED = -10000.0
"""What both models add to the scores of masked text tokens."""


class CaptionText(Substitution):
    """Substitution in a `PixArtTransformer2DModel` or a `SanaTransformer2DModel`.

    `sites` are numbers of `caption_sites`. A call with an `encoder_attention_mask` needs the flagged prompts'
    `donor_mask`. Refused on entering: caches, fused projections.
    """

    _texts: torch.Tensor | None = None
    _seen: torch.Tensor | None = None

    @classmethod
    def refuse_unsupported(cls, denoiser: nn.Module, sites: Sequence[int]) -> None:
        if not isinstance(denoiser, (PixArtTransformer2DModel, SanaTransformer2DModel)):
            raise SubstitutionError(
                f"{type(denoiser).__name__} is not a plain PixArtTransformer2DModel or "
                f"SanaTransformer2DModel (wrapped?)"
            )
        known = caption_sites(denoiser)
        refuse_missing_sites(sites, len(known))
        refuse_hooked(denoiser)
        for number in sites:
            name, attn = known[number]
            if attn.fused_projections:
                raise SubstitutionError(f"{name} has fused projections: unfuse_qkv_projections()")

    def _install(self, undo: ExitStack) -> None:
        model = self._denoiser
        undo.callback(model.register_forward_pre_hook(self._before_call, with_kwargs=True).remove)
        known = caption_sites(model)
        for number in sorted(self._sites):
            hook = self._before_site(number)
            undo.callback(known[number][1].register_forward_pre_hook(hook, with_kwargs=True).remove)
        undo.callback(model.register_forward_hook(self._end_call).remove)

    def _forget(self) -> None:
        super()._forget()
        self._texts = self._seen = None

    def _before_call(
        self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        if self._is_foreign():
            return
        names = inspect.signature(self._denoiser.forward).parameters
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        texts = given["encoder_hidden_states"]
        match = self._begin_call(texts, given["timestep"])
        if match is not None:
            self._texts = texts.clone()
            self._texts[match.rows] = match.donors

    def _before_site(self, number: int) -> Callable[..., Any]:
        def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            match = self.match
            if match is None:
                return None
            self._fired.append(number)
            text = kwargs["encoder_hidden_states"].clone()
            text[match.rows] = self._donors_seen(match.rows).to(text)
            changed = {"encoder_hidden_states": text}
            if kwargs.get("attention_mask") is not None:
                if match.masks is None:
                    raise SubstitutionError("the denoiser gets a text mask, and the donor has none")
                bias = kwargs["attention_mask"].clone()
                visible = match.masks.bool()[:, None]
                bias[match.rows] = torch.where(visible, _NO_BIAS, _MASKED).to(bias)
                changed["attention_mask"] = bias
            return args, {**kwargs, **changed}

        return hook

    def _donors_seen(self, rows: torch.Tensor) -> torch.Tensor:
        """The donors' texts (R, T, D) as the blocks read them.

        Projected at the first site and not before the call: only within it are offloaded weights on
        the accelerator, and a LoRA at the call's scale.
        """
        if self._seen is None:
            model: Any = self._denoiser
            seen = self._texts
            for name in ("caption_projection", "caption_norm"):
                layer = getattr(model, name, None)
                seen = seen if layer is None else layer(seen)
            assert seen is not None
            self._seen = seen[rows]
        return self._seen
