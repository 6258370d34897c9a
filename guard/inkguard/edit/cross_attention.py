"""Substitution for cross-attention: at the sites, flagged rows read the donor's embeddings.

A U-Net's text embeddings are the same for all of its layers, so nothing has to be carried along: the
hook before a site exchanges rows of what it reads, and the installed attention processor does the rest
(Staniszewski et al. 2025, section 3, in one pass). Text that is folded in elsewhere (pooled text, time
embeddings) stays the prompt's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import nn

from inkguard.edit.diffusers_internals import name_as_compiled_from
from inkguard.edit.rows import RowMatch
from inkguard.edit.substitution import Substitution
from inkguard.errors import SubstitutionError

__all__ = ["CrossText", "cross_attention_sites"]


def cross_attention_sites(unet: UNet2DConditionModel) -> list[tuple[str, Attention]]:
    """Name and module of every site of a U-Net: down, mid, up.

    Not the order of `named_modules()`: diffusers registers the mid block last. A site reads text
    as the keys of cross-attention (`attn2`) or as added keys beside the picture's (DeepFloyd IF).
    """
    return [
        (name, module)
        for part in ("down_blocks", "mid_block", "up_blocks")
        for name, module in _named(unet, part)
        if isinstance(module, Attention)
        and (module.is_cross_attention or module.added_kv_proj_dim is not None)
    ]


class CrossText(Substitution):
    """Substitution in a `UNet2DConditionModel`; `sites` are numbers of `cross_attention_sites`.

    Where the flagged prompts carry a `donor_pooled`, it takes the place of their rows' `text_embeds`.
    With IP-Adapter the text part of what a site reads is exchanged, and the pictures stay. A call with
    an `encoder_attention_mask` needs the flagged prompts' `donor_mask`. Refused on entering: caches,
    fused projections, text projections that mix in pictures.
    """

    denoisers: tuple[type[nn.Module], ...] = (UNet2DConditionModel,)
    _text: torch.Tensor | None = None
    _read: torch.Tensor | None = None

    @classmethod
    def sites_of(cls, denoiser: Any) -> list[tuple[str, Any]]:
        return [*cross_attention_sites(denoiser)]

    @classmethod
    def refuse_unsupported(cls, denoiser: nn.Module, sites: Sequence[int]) -> None:
        super().refuse_unsupported(denoiser, sites)
        model: Any = denoiser
        kind = model.config.get("encoder_hid_dim_type")
        if kind not in (None, "text_proj", "ip_image_proj"):
            raise SubstitutionError(f"text is projected together with pictures ({kind})")

    def _install(self, undo: ExitStack) -> None:
        model = self._denoiser
        undo.callback(model.register_forward_pre_hook(self._before_call, with_kwargs=True).remove)
        known = self.sites_of(model)
        for number in sorted(self._sites):
            hook = self._before_site(number)
            undo.callback(known[number][1].register_forward_pre_hook(hook, with_kwargs=True).remove)
        undo.callback(model.register_forward_hook(self._end_call).remove)

    def _forget(self) -> None:
        super()._forget()
        self._text = self._read = None

    def _before_call(
        self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        if self._is_foreign():
            return None
        names = [*inspect.signature(type(self._denoiser).forward).parameters][1:]
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        match = self._begin_call(given["encoder_hidden_states"], given["timestep"])
        if match is None:
            return None
        self._text = given["encoder_hidden_states"]
        if match.pooled is None:
            return None
        added = given["added_cond_kwargs"]
        pooled = added["text_embeds"].clone()
        pooled[match.rows] = match.pooled.to(pooled)
        return args, {**kwargs, "added_cond_kwargs": {**added, "text_embeds": pooled}}

    def _before_site(self, number: int) -> Callable[..., Any]:
        def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            match = self.match
            if match is None or self._text is None:
                return None
            self._fired.append(number)
            if self._read is None:
                # At the first site and not before the call: only within it are offloaded weights on the
                # accelerator, and a LoRA at the call's scale.
                self._read = self._project(match, self._text)
            text = kwargs["encoder_hidden_states"]
            own = text[0] if isinstance(text, tuple) else text
            edited = own.clone()
            edited[match.rows] = self._read.to(edited)
            changed = {
                "encoder_hidden_states": (edited, *text[1:]) if isinstance(text, tuple) else edited
            }
            if kwargs.get("attention_mask") is not None:
                mask = kwargs["attention_mask"].clone()
                mask[match.rows] = match.bias().to(mask)
                changed["attention_mask"] = mask
            return args, {**kwargs, **changed}

        return hook

    def _project(self, match: RowMatch, text: torch.Tensor) -> torch.Tensor:
        """What the sites read of the donors' texts (R, T, D), in a call with the `text` (B, T, D)."""
        unet: Any = self._denoiser
        if unet.config.encoder_hid_dim_type == "text_proj":
            projected: torch.Tensor = unet.encoder_hid_proj(match.donors)
            return projected
        # Where the text projection goes when IP-Adapter takes its place.
        projection = getattr(unet, "text_encoder_hid_proj", None)
        return match.donors if projection is None else projection(match.donors)


def _named(unet: nn.Module, part: str) -> Iterator[tuple[str, nn.Module]]:
    child = getattr(unet, part)
    if child is not None:
        for name, module in child.named_modules():
            yield name_as_compiled_from(f"{part}.{name}"), module
