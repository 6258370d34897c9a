"""The shadow text stream of Stable Diffusion 3 and 3.5 (edit/shadow_stream.py says what that is).

SD3.5's dual attention (`attn2`) reads the picture alone, so nothing is done there. With its skip-layer
guidance the pipeline makes a further call that leaves blocks out (`skip_layers`): the shadow
leaves out the same ones, and sites among them are not expected to fire.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import SD3Transformer2DModel
from diffusers.models.attention_processor import JointAttnProcessor2_0

from inkguard.edit.shadow_stream import Heads, ShadowProcessor, ShadowStream, feed_text_forward

__all__ = ["Sd3Shadow"]


class Sd3Shadow(ShadowStream):
    """Substitution in an `SD3Transformer2DModel`; `sites` are indices into its `transformer_blocks`."""

    denoisers = (SD3Transformer2DModel,)
    _processor = JointAttnProcessor2_0
    _token_dim = 2
    _text_first = False

    def _new_processor(self, index: int, block: Any, original: Any) -> ShadowProcessor:
        return _Sd3Processor(self, index, block, original)

    def _skips(self, call: dict[str, Any]) -> Collection[int]:
        return call.get("skip_layers") or ()


class _Sd3Processor(ShadowProcessor):
    """`JointAttnProcessor2_0` with the shadow."""

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        edit, block = self._edit, self._block
        if edit.match is None or encoder_hidden_states is None:
            return self._original(
                attn, hidden_states, encoder_hidden_states, attention_mask, *args, **kwargs
            )
        if block.context_pre_only:
            normed, gates = block.norm1_context(edit.text, edit.temb), []
        else:
            normed, *gates = block.norm1_context(edit.text, emb=edit.temb)
        picture, text = _project(attn, hidden_states), _project_text(attn, encoder_hidden_states)
        joint = Heads(
            torch.cat([picture.q, text.q], dim=2),
            torch.cat([picture.k, text.k], dim=2),
            torch.cat([picture.v, text.v], dim=2),
        )
        tokens = encoder_hidden_states.shape[1]
        attended, shadow = edit.read(
            self._index, joint, tokens, _project_text(attn, normed), _attend
        )
        if shadow is not None:
            edit.text = feed_text_forward(block, edit.text, attn.to_add_out(_merge(shadow)), gates)
        picture_out, text_out = _merge(attended).split([hidden_states.shape[1], tokens], dim=1)
        if not attn.context_pre_only:
            text_out = attn.to_add_out(text_out)
        return attn.to_out[1](attn.to_out[0](picture_out)), text_out


def _attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    # As the stock processor does: under autocast the layers after it round by what they are given.
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).to(q.dtype)


def _project(attn: Any, x: torch.Tensor) -> Heads:
    return _heads(attn, (attn.to_q(x), attn.to_k(x), attn.to_v(x)), (attn.norm_q, attn.norm_k))


def _project_text(attn: Any, x: torch.Tensor) -> Heads:
    projected = attn.add_q_proj(x), attn.add_k_proj(x), attn.add_v_proj(x)
    return _heads(attn, projected, (attn.norm_added_q, attn.norm_added_k))


def _heads(attn: Any, projected: tuple[torch.Tensor, ...], norms: tuple[Any, Any]) -> Heads:
    """Split (B, T, heads * width) into (B, heads, T, width), then norm queries and keys."""
    q, k, v = (x.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for x in projected)
    norm_q, norm_k = norms
    return Heads(norm_q(q) if norm_q is not None else q, norm_k(k) if norm_k is not None else k, v)


def _merge(x: torch.Tensor) -> torch.Tensor:
    """(B, heads, T, width) to (B, T, heads * width)."""
    return x.transpose(1, 2).flatten(2)
