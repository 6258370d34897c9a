"""Substitution for cross-attention: at the sites, flagged rows read the donor's embeddings.

A U-Net's text embeddings are the same for all of its layers, so nothing has to be carried along: the
hook before a site exchanges rows of what it reads, and the installed attention processor does the rest
(Staniszewski et al. 2025, section 3, in one pass). Text that is folded in elsewhere (pooled text, time
embeddings) stays the prompt's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from inkguard.edit.sites import cross_attention_sites
from inkguard.edit.substitution import Substitution, refuse_hooked, refuse_missing_sites
from inkguard.errors import SubstitutionError

__all__ = ["CrossText"]

_NO_BIAS = 0.0
_MASKED = -10000.0
"""What diffusers adds to the scores of masked text tokens."""


class CrossText(Substitution):
    """Substitution in a `UNet2DConditionModel`; `sites` are numbers of `cross_attention_sites`.

    Where the flagged prompts carry a `donor_pooled`, it takes the place of their rows' `text_embeds`.
    With IP-Adapter the text part of what a site reads is exchanged, and the pictures stay. A call with
    an `encoder_attention_mask` needs the flagged prompts' `donor_mask`. Refused on entering: caches,
    fused projections, text projections that mix in pictures.
    """

    _seen: torch.Tensor | None = None
    _bias: torch.Tensor | None = None

    @classmethod
    def refuse_unsupported(cls, denoiser: nn.Module, sites: Sequence[int]) -> None:
        if not isinstance(denoiser, UNet2DConditionModel):
            raise SubstitutionError(
                f"{type(denoiser).__name__} is not a plain UNet2DConditionModel (wrapped?)"
            )
        known = cross_attention_sites(denoiser)
        refuse_missing_sites(sites, len(known))
        refuse_hooked(denoiser)
        kind = denoiser.config.encoder_hid_dim_type
        if kind not in (None, "text_proj", "ip_image_proj"):
            raise SubstitutionError(f"text is projected together with pictures ({kind})")
        for number in sites:
            name, attn = known[number]
            if attn.fused_projections:
                raise SubstitutionError(f"{name} has fused projections: unfuse_qkv_projections()")

    def _install(self, undo: ExitStack) -> None:
        undo.callback(
            self._denoiser.register_forward_pre_hook(self._before_call, with_kwargs=True).remove
        )
        for number, (_, attn) in enumerate(cross_attention_sites(self._denoiser)):
            if number in self._sites:
                undo.callback(
                    attn.register_forward_pre_hook(
                        self._before_site(number), with_kwargs=True
                    ).remove
                )
        undo.callback(self._denoiser.register_forward_hook(self._end_call).remove)

    def _forget(self) -> None:
        super()._forget()
        self._seen = self._bias = None

    def _before_call(
        self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        if self._is_foreign():
            return None
        given = dict(zip(("sample", "timestep", "encoder_hidden_states"), args, strict=False))
        given |= kwargs
        match = self._begin_call(given["encoder_hidden_states"], given["timestep"])
        if match is None:
            return None
        self._seen = match.donors
        unet: Any = self._denoiser
        if unet.config.encoder_hid_dim_type == "text_proj":
            self._seen = unet.encoder_hid_proj(match.donors)
        elif getattr(unet, "text_encoder_hid_proj", None) is not None:
            # Where the text projection goes when IP-Adapter takes its place.
            self._seen = unet.text_encoder_hid_proj(match.donors)
        if given.get("encoder_attention_mask") is not None:
            if match.masks is None:
                raise SubstitutionError("the denoiser gets a text mask, and the donor has none")
            visible = match.masks.bool()[:, None]
            self._bias = torch.where(visible, _NO_BIAS, _MASKED).to(match.donors)
        if match.pooled is None:
            return None
        added = given["added_cond_kwargs"]
        pooled = added["text_embeds"].clone()
        pooled[match.rows] = match.pooled.to(pooled)
        return args, {**kwargs, "added_cond_kwargs": {**added, "text_embeds": pooled}}

    def _before_site(self, number: int) -> Callable[..., Any]:
        def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            match, seen = self.match, self._seen
            if match is None or seen is None:
                return None
            self._fired.append(number)
            text = kwargs["encoder_hidden_states"]
            plain = text[0] if isinstance(text, tuple) else text
            edited = plain.clone()
            edited[match.rows] = seen.to(edited)
            changed = {
                "encoder_hidden_states": (edited, *text[1:]) if isinstance(text, tuple) else edited
            }
            if self._bias is not None:
                mask = kwargs["attention_mask"].clone()
                mask[match.rows] = self._bias.to(mask)
                changed["attention_mask"] = mask
            return args, {**kwargs, **changed}

        return hook
