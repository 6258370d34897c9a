"""The shadow text stream of FLUX.1 (edit/shadow_stream.py says what that is).

Double-stream blocks are SD3's, with rotary positions. In single-stream blocks text and picture are one
sequence under one set of weights, so the shadow is norm, attention, `proj_mlp` and `proj_out` of the
block for the donor's tokens alone. All of FLUX's text tokens have position zero, so donor and prompt
stand at the same places. Sites count double-stream blocks first, then single-stream ones.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import FluxTransformer2DModel
from diffusers.models.embeddings import apply_rotary_emb
from diffusers.models.transformers.transformer_flux import FluxAttnProcessor

from inkguard.edit.shadow_stream import (
    Heads,
    ShadowProcessor,
    ShadowStream,
    clip_half,
    dispatched,
    feed_text_forward,
)

__all__ = ["FluxShadow"]

_Rotary = tuple[torch.Tensor, torch.Tensor]
"""Cosine and sine (T, width of a head) of text, then picture."""


class FluxShadow(ShadowStream):
    """Substitution in a `FluxTransformer2DModel`; `sites` are numbers of blocks."""

    denoisers = (FluxTransformer2DModel,)
    _processor = FluxAttnProcessor

    @classmethod
    def sites_of(cls, denoiser: Any) -> list[tuple[str, Any]]:
        return [
            (f"{part}.{n}.attn", block.attn)
            for part in ("transformer_blocks", "single_transformer_blocks")
            for n, block in enumerate(getattr(denoiser, part))
        ]

    def _new_processor(self, index: int, block: Any, original: Any) -> ShadowProcessor:
        double = index < len(self._transformer.transformer_blocks)
        return (_DoubleProcessor if double else _SingleProcessor)(self, index, block, original)


class _DoubleProcessor(ShadowProcessor):
    """`FluxAttnProcessor` of a double-stream block, with the shadow."""

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        image_rotary_emb: _Rotary | None = None,
    ) -> Any:
        edit, block = self._edit, self._block
        if edit.match is None:
            return self._original(
                attn, hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb
            )
        normed, *gates = block.norm1_context(edit.text, emb=edit.temb)
        text, picture = _project_text(attn, encoder_hidden_states), _project(attn, hidden_states)
        joint = Heads(
            torch.cat([text.q, picture.q], dim=1),
            torch.cat([text.k, picture.k], dim=1),
            torch.cat([text.v, picture.v], dim=1),
        )
        tokens = encoder_hidden_states.shape[1]
        attended, shadow = edit.read(
            self._index,
            _rotate(joint, image_rotary_emb),
            tokens,
            _rotate(_project_text(attn, normed), image_rotary_emb),
            dispatched(self._original),
            attention_mask,
        )
        if shadow is not None:
            attended_text = attn.to_add_out(shadow.flatten(2))
            edit.text = clip_half(feed_text_forward(block, edit.text, attended_text, gates))
        text_out, picture_out = attended.flatten(2).split([tokens, hidden_states.shape[1]], dim=1)
        return (
            attn.to_out[1](attn.to_out[0](picture_out.contiguous())),
            attn.to_add_out(text_out.contiguous()),
        )


class _SingleProcessor(ShadowProcessor):
    """`FluxAttnProcessor` of a single-stream block, with the shadow."""

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        image_rotary_emb: _Rotary | None = None,
    ) -> Any:
        edit, block = self._edit, self._block
        if edit.match is None:
            return self._original(
                attn, hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb
            )
        normed, gate = block.norm(edit.text, emb=edit.temb)
        attended, shadow = edit.read(
            self._index,
            _rotate(_project(attn, hidden_states), image_rotary_emb),
            normed.shape[1],
            _rotate(_project(attn, normed), image_rotary_emb),
            dispatched(self._original),
            attention_mask,
        )
        if shadow is not None:
            widened = torch.cat([shadow.flatten(2), block.act_mlp(block.proj_mlp(normed))], dim=2)
            edit.text = clip_half(edit.text + gate.unsqueeze(1) * block.proj_out(widened))
        return attended.flatten(2)


def _project(attn: Any, x: torch.Tensor) -> Heads:
    """(B, T, heads, width) of a picture, or of anything in a single-stream block."""
    q, k, v = (p(x).unflatten(-1, (-1, attn.head_dim)) for p in (attn.to_q, attn.to_k, attn.to_v))
    return Heads(attn.norm_q(q), attn.norm_k(k), v)


def _project_text(attn: Any, x: torch.Tensor) -> Heads:
    layers = attn.add_q_proj, attn.add_k_proj, attn.add_v_proj
    q, k, v = (layer(x).unflatten(-1, (-1, attn.head_dim)) for layer in layers)
    return Heads(attn.norm_added_q(q), attn.norm_added_k(k), v)


def _rotate(heads: Heads, rotary: _Rotary | None) -> Heads:
    """Queries and keys at their positions; `rotary` may be longer, as it is for text alone."""
    if rotary is None:
        return heads
    cosine, sine = (r[: heads.q.shape[1]] for r in rotary)
    q, k = (apply_rotary_emb(x, (cosine, sine), sequence_dim=1) for x in (heads.q, heads.k))
    return Heads(q, k, heads.v)
