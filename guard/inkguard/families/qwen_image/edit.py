"""The shadow text stream of Qwen-Image (edit/shadow_stream.py says what that is).

Prompts are as long as their text here, zero-padded to the longest of a batch under a mask, and so are
donors: prompt and donor may differ in length. That can be done right, since text positions count
from a start that the picture's size alone sets, picture positions do not depend on text, and
padding is masked wherever it could be read. So embeddings are given at one common length, zero-padded
on the right, with a mask for the donor; a row is matched by its text padded likewise.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from diffusers import QwenImageTransformer2DModel
from diffusers.models.transformers.transformer_qwenimage import (
    QwenDoubleStreamAttnProcessor2_0,
    apply_rotary_emb_qwen,
)
from torch import nn

from inkguard.edit.diffusers_internals import modulated
from inkguard.edit.rows import RowMatch, match_rows
from inkguard.edit.shadow_stream import Heads, ShadowProcessor, ShadowStream, clip_half, dispatched
from inkguard.errors import SubstitutionError

__all__ = ["QwenShadow", "pad_text"]


def pad_text(x: torch.Tensor, tokens: int) -> torch.Tensor:
    """Embeddings (B, T, D) with zeros after them up to `tokens`; longer ones as they are."""
    return F.pad(x, (0, 0, 0, max(0, tokens - x.shape[1])))


class QwenShadow(ShadowStream):
    """Substitution in a `QwenImageTransformer2DModel`; `sites` are indices into `transformer_blocks`.

    All flagged prompts' `embeds` and `donor` have one length, at least that of the batch's text,
    padded by `pad_text`, as have `unconditional`. Padding of donors needs their `donor_mask`.
    """

    denoisers = (QwenImageTransformer2DModel,)
    _processor = QwenDoubleStreamAttnProcessor2_0
    _shapes: Any = None
    _rotary: torch.Tensor | None = None

    @property
    def rotary(self) -> torch.Tensor:
        """Complex rotations (tokens, half the width of a head) of the donors' text."""
        if self._rotary is None:
            raise SubstitutionError("the denoiser was called without the shapes of its pictures")
        return self._rotary

    def _new_processor(self, index: int, block: Any, original: Any) -> ShadowProcessor:
        return _QwenProcessor(self, index, block, original)

    def _find(self, text: torch.Tensor) -> RowMatch | None:
        return match_rows(pad_text(text, len(self._flagged[0].embeds)), self._flagged)

    def _before_call(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._is_foreign():
            return None
        self._shapes = kwargs.get("img_shapes")
        return super()._before_call(module, args, kwargs)

    def _embed(self, match: RowMatch) -> torch.Tensor:
        model, donors = self._transformer, match.donors
        if match.masks is not None and not match.masks.bool().all():
            self._visible = match.masks.bool()
        self._rotary = model.pos_embed(
            self._shapes, max_txt_seq_len=donors.shape[1], device=donors.device
        )[1]
        embedded: torch.Tensor = model.txt_in(model.txt_norm(donors))
        return embedded

    def _forget(self) -> None:
        super()._forget()
        self._shapes = self._rotary = None


class _QwenProcessor(ShadowProcessor):
    """`QwenDoubleStreamAttnProcessor2_0` with the shadow."""

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        encoder_hidden_states_mask: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        image_rotary_emb: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> Any:
        edit, block = self._edit, self._block
        if edit.match is None or image_rotary_emb is None:
            return self._original(
                attn,
                hidden_states,
                encoder_hidden_states,
                encoder_hidden_states_mask,
                attention_mask,
                image_rotary_emb,
            )
        stream = edit.text
        attention_part, forward_part = block.txt_mod(edit.temb).chunk(2, dim=-1)
        normed, attention_gate = modulated(block, block.txt_norm1(stream), attention_part)
        picture_rotary, text_rotary = image_rotary_emb
        picture = _project(attn, hidden_states, picture_rotary)
        text = _project_text(attn, encoder_hidden_states, text_rotary)
        joint = Heads(
            torch.cat([text.q, picture.q], dim=1),
            torch.cat([text.k, picture.k], dim=1),
            torch.cat([text.v, picture.v], dim=1),
        )
        tokens, pictures = encoder_hidden_states.shape[1], hidden_states.shape[1]
        mask = encoder_hidden_states_mask
        if mask is not None:
            mask = torch.cat([mask, mask.new_ones(len(mask), pictures)], dim=1)[:, None, None]
        attended, shadow = edit.read(
            self._index,
            joint,
            tokens,
            _project_text(attn, normed, edit.rotary),
            dispatched(self._original),
            mask,
        )
        if shadow is not None:
            stream = stream + attention_gate * attn.to_add_out(shadow.flatten(2))
            normed, forward_gate = modulated(block, block.txt_norm2(stream), forward_part)
            edit.text = clip_half(stream + forward_gate * block.txt_mlp(normed))
        text_out, picture_out = attended.flatten(2).split([tokens, pictures], dim=1)
        picture_out = attn.to_out[0](picture_out.contiguous())
        if len(attn.to_out) > 1:
            picture_out = attn.to_out[1](picture_out)
        return picture_out, attn.to_add_out(text_out.contiguous())


def _project(attn: Any, x: torch.Tensor, rotary: torch.Tensor) -> Heads:
    projected = attn.to_q(x), attn.to_k(x), attn.to_v(x)
    return _heads(attn, projected, (attn.norm_q, attn.norm_k), rotary)


def _project_text(attn: Any, x: torch.Tensor, rotary: torch.Tensor) -> Heads:
    projected = attn.add_q_proj(x), attn.add_k_proj(x), attn.add_v_proj(x)
    return _heads(attn, projected, (attn.norm_added_q, attn.norm_added_k), rotary)


def _heads(
    attn: Any,
    projected: tuple[torch.Tensor, ...],
    norms: tuple[nn.Module | None, nn.Module | None],
    rotary: torch.Tensor,
) -> Heads:
    """Split (B, T, heads * width) into (B, T, heads, width); norm and place queries and keys."""
    width = attn.inner_dim // attn.heads
    q, k, v = (x.unflatten(-1, (-1, width)) for x in projected)
    norm_q, norm_k = norms
    q, k = (norm_q(q) if norm_q else q), (norm_k(k) if norm_k else k)
    q, k = (apply_rotary_emb_qwen(x, rotary, use_real=False) for x in (q, k))
    return Heads(q, k, v)
