"""Substitution for joint attention in one pass: a shadow text stream beside the real one.

In an MMDiT the text stream changes from block to block, so the donor's keys and values at a site
need the donor's own stream through all earlier blocks. For flagged rows only, the donor's tokens
travel along: they attend to [picture, donor text], the picture does not see them, except at the
sites, where the picture's queries read the donor's keys and values in place of the prompt's.
Patching at localized layers: Staniszewski et al. 2025, section 3; the one-pass form is our own
(docs/SUBSTITUTION.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import SD3Transformer2DModel
from diffusers.models.attention_processor import Attention, JointAttnProcessor2_0
from torch import nn

from guard.errors import SubstitutionError
from guard.substitute.edit import Substitution, refuse_hooked
from guard.substitute.rows import FlaggedPrompt

__all__ = ["ShadowText"]


class ShadowText(Substitution):
    """Substitution in an `SD3Transformer2DModel`; `sites` are indices into its `transformer_blocks`.

    Where the flagged prompts carry a `donor_pooled`, their rows' pooled text is the donor's too, from
    the same step on. Refused on entering: fused projections, a foreign attention processor, an enabled
    cache, a compiled module.
    """

    def __init__(
        self,
        transformer: SD3Transformer2DModel,
        sites: Sequence[int],
        flagged: Sequence[FlaggedPrompt],
        *,
        unconditional: torch.Tensor | None = None,
        start_step: int = 0,
    ) -> None:
        super().__init__(
            transformer, sites, flagged, unconditional=unconditional, start_step=start_step
        )
        self._transformer = transformer
        self._last = max(sites)
        self._text = torch.empty(0)
        self._normed = torch.empty(0)
        self._attended: torch.Tensor | None = None
        self._gates: list[torch.Tensor] = []

    def _refuse_unsupported(self) -> None:
        refuse_unsupported(self._transformer, self._sites)

    def _install(self, undo: ExitStack) -> None:
        undo.callback(
            self._transformer.register_forward_pre_hook(self._before_call, with_kwargs=True).remove
        )
        for index, block in enumerate(self._transformer.transformer_blocks[: self._last + 1]):
            undo.callback(
                block.register_forward_pre_hook(self._before_block(block), with_kwargs=True).remove
            )
            undo.callback(block.register_forward_hook(self._after_block(index, block)).remove)
            original = block.attn.processor
            undo.callback(setattr, block.attn, "processor", original)
            block.attn.processor = _ShadowProcessor(self, index, original)
        undo.callback(self._transformer.register_forward_hook(self._end_call).remove)

    def _forget(self) -> None:
        super()._forget()
        self._attended = None
        self._text = self._normed = torch.empty(0)
        self._gates = []

    def _before_call(
        self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        if args:
            raise SubstitutionError("the denoiser must be called with keyword arguments")
        match = self._begin_call(
            kwargs["encoder_hidden_states"], kwargs["timestep"], kwargs.get("skip_layers") or ()
        )
        if match is None:
            return None
        self._text = self._transformer.context_embedder(match.donors)
        if match.pooled is None:
            return None
        pooled = kwargs["pooled_projections"].clone()
        pooled[match.rows] = match.pooled.to(pooled)
        return args, {**kwargs, "pooled_projections": pooled}

    def _before_block(self, block: Any) -> Callable[..., None]:
        def hook(_module: nn.Module, _args: Any, kwargs: dict[str, Any]) -> None:
            if self._match is None:
                return
            temb = kwargs["temb"][self._match.rows]
            if block.context_pre_only:
                self._normed, self._gates = block.norm1_context(self._text, temb), []
            else:
                self._normed, *self._gates = block.norm1_context(self._text, emb=temb)

        return hook

    def _after_block(self, index: int, block: Any) -> Callable[..., None]:
        def hook(_module: nn.Module, _args: Any, _output: Any) -> None:
            if self._match is None or index == self._last:
                return
            if self._attended is None:
                raise SubstitutionError(
                    f"the shadow text did not pass through the attention of block {index}"
                )
            attn_gate, shift, scale, ff_gate = (g.unsqueeze(1) for g in self._gates)
            text = self._text + attn_gate * self._attended
            self._attended = None
            self._text = text + ff_gate * block.ff_context(
                block.norm2_context(text) * (1 + scale) + shift
            )

        return hook


class _ShadowProcessor:
    """`JointAttnProcessor2_0` with the shadow beside it; on calls without flagged rows, just that."""

    def __init__(self, edit: ShadowText, index: int, original: JointAttnProcessor2_0) -> None:
        self._edit, self._index, self._original = edit, index, original

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        edit, match = self._edit, self._edit._match
        if match is None or encoder_hidden_states is None:
            result: tuple[torch.Tensor, torch.Tensor] = self._original(
                attn, hidden_states, encoder_hidden_states, attention_mask, **kwargs
            )
            return result
        rows, pictures = match.rows, hidden_states.shape[1]
        q, k, v = _project(attn, hidden_states, "to_q", "to_k", "to_v", "norm_q", "norm_k")
        text_q, text_k, text_v = _project_text(attn, encoder_hidden_states)
        shadow_q, shadow_k, shadow_v = _project_text(attn, edit._normed)
        seen_k = torch.cat([k[rows], shadow_k], dim=2)
        seen_v = torch.cat([v[rows], shadow_v], dim=2)
        all_q = torch.cat([q, text_q], dim=2)
        all_k = torch.cat([k, text_k], dim=2)
        all_v = torch.cat([v, text_v], dim=2)
        if self._index in edit._sites:
            edit._fired.append(self._index)
            attended = torch.empty_like(all_q)
            if len(match.others):
                attended[match.others] = F.scaled_dot_product_attention(
                    all_q[match.others], all_k[match.others], all_v[match.others]
                )
            attended[rows] = torch.cat(
                [
                    F.scaled_dot_product_attention(q[rows], seen_k, seen_v),
                    F.scaled_dot_product_attention(text_q[rows], all_k[rows], all_v[rows]),
                ],
                dim=2,
            )
        else:
            attended = F.scaled_dot_product_attention(all_q, all_k, all_v)
        if self._index < edit._last:
            shadow = F.scaled_dot_product_attention(shadow_q, seen_k, seen_v)
            edit._attended = attn.to_add_out(_merge(shadow))
        merged = _merge(attended)
        picture, text = merged[:, :pictures], merged[:, pictures:]
        if not attn.context_pre_only:
            text = attn.to_add_out(text)
        return attn.to_out[1](attn.to_out[0](picture)), text


def _project(
    attn: Attention, x: torch.Tensor, *names: str
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries, keys and values (B, heads, T, head width) of `x` by the layers and norms named."""
    q, k, v = (
        getattr(attn, n)(x).unflatten(-1, (attn.heads, -1)).transpose(1, 2) for n in names[:3]
    )
    norm_q, norm_k = (getattr(attn, n) for n in names[3:])
    return (norm_q(q) if norm_q is not None else q), (norm_k(k) if norm_k is not None else k), v


def _project_text(
    attn: Attention, x: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    names = ("add_q_proj", "add_k_proj", "add_v_proj", "norm_added_q", "norm_added_k")
    return _project(attn, x, *names)


def _merge(x: torch.Tensor) -> torch.Tensor:
    """(B, heads, T, width) to (B, T, heads * width)."""
    return x.transpose(1, 2).flatten(2)


def refuse_unsupported(transformer: nn.Module, sites: frozenset[int]) -> None:
    """Raise SubstitutionError, naming the reason, where an edit of `transformer` could be skipped."""
    if not isinstance(transformer, SD3Transformer2DModel):
        raise SubstitutionError(
            f"{type(transformer).__name__} is not a plain SD3Transformer2DModel (compiled or wrapped?)"
        )
    blocks = transformer.transformer_blocks
    missing = sorted(s for s in sites if not 0 <= s < len(blocks))
    if missing:
        raise SubstitutionError(
            f"sites {missing} do not exist: the model has blocks 0 to {len(blocks) - 1}"
        )
    refuse_hooked(transformer)
    for index, block in enumerate(blocks[: max(sites) + 1]):
        attn = block.attn
        if attn.fused_projections:
            raise SubstitutionError(
                f"block {index} has fused QKV projections: unfuse_qkv_projections()"
            )
        if type(attn.processor) is not JointAttnProcessor2_0:
            raise SubstitutionError(
                f"block {index} runs {type(attn.processor).__name__}, not JointAttnProcessor2_0"
            )
