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
from types import TracebackType
from typing import Any, Self

import torch
import torch.nn.functional as F
from diffusers import SD3Transformer2DModel
from diffusers.models.attention_processor import Attention, JointAttnProcessor2_0
from torch import nn

from guard.errors import SubstitutionError
from guard.substitute.rows import FlaggedPrompt, RowMatch, match_rows, refuse_ambiguous

__all__ = ["ShadowText"]

_HARMLESS_HOOKS = frozenset({"group_offloading", "layerwise_casting", "peft_autocast_disable"})
"""Diffusers hooks that move or cast weights; every other one (caches, layer skips) is refused."""


class ShadowText:
    """A `with` block in which flagged rows read their donor's text at the given sites.

    `sites` are indices into `transformer.transformer_blocks`. The first `start_step` denoising
    steps run unedited (a step is a new value of `timestep`). `unconditional` are the negative
    prompts' embeddings (N, T, D), which must differ from every flagged prompt's. Where the flagged
    prompts carry a `donor_pooled`, their rows' pooled text is the donor's too, from the same step on.

    Entering raises SubstitutionError, with the model untouched, where an edit could not be trusted:
    fused projections, a foreign attention processor, an enabled cache, a compiled module. Within,
    a denoiser call raises it when a site did not fire exactly once, or when a step ended without
    any flagged row in it. Leaving restores the model, also after an exception. Not thread-safe.
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
        if not flagged or not sites:
            raise SubstitutionError("nothing to substitute: no flagged prompt or no site was given")
        refuse_ambiguous(flagged, unconditional)
        self._transformer = transformer
        self._sites = frozenset(sites)
        self._last = max(sites)
        self._flagged = tuple(flagged)
        self._start_step = start_step
        self._undo = ExitStack()
        self._step = -1
        self._step_time: float | None = None
        self._step_matched = True
        self._match: RowMatch | None = None
        self._expected = self._sites
        self._fired: list[int] = []
        self._text = torch.empty(0)
        self._normed = torch.empty(0)
        self._attended: torch.Tensor | None = None
        self._gates: list[torch.Tensor] = []

    def __enter__(self) -> Self:
        refuse_unsupported(self._transformer, self._sites)
        with ExitStack() as undo:
            undo.callback(
                self._transformer.register_forward_pre_hook(
                    self._before_call, with_kwargs=True
                ).remove
            )
            for index, block in enumerate(self._transformer.transformer_blocks[: self._last + 1]):
                undo.callback(
                    block.register_forward_pre_hook(
                        self._before_block(block), with_kwargs=True
                    ).remove
                )
                undo.callback(block.register_forward_hook(self._after_block(index, block)).remove)
                original = block.attn.processor
                undo.callback(setattr, block.attn, "processor", original)
                block.attn.processor = _ShadowProcessor(self, index, original)
            undo.callback(self._transformer.register_forward_hook(self._after_call).remove)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo.close()
        self._forget()
        if kind is None:
            self._close_step()
            if self._step < self._start_step:
                raise SubstitutionError(
                    "the denoiser never reached the step at which the sites start"
                )

    def _time(self, timestep: torch.Tensor) -> float:
        return float(timestep.flatten()[0])

    def _find(self, text: torch.Tensor) -> RowMatch | None:
        return match_rows(text, self._flagged)

    def _close_step(self) -> None:
        if not self._step_matched:
            raise SubstitutionError(
                "no row of a denoising step carried the flagged prompt's text embeddings"
            )

    def _forget(self) -> None:
        """Hold no tensor of a finished call."""
        self._match, self._attended = None, None
        self._text = self._normed = torch.empty(0)
        self._gates = []

    def _before_call(
        self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        if args:
            raise SubstitutionError("the denoiser must be called with keyword arguments")
        time = self._time(kwargs["timestep"])
        if time != self._step_time:
            self._close_step()
            self._step, self._step_time, self._step_matched = self._step + 1, time, False
        text = kwargs["encoder_hidden_states"]
        match = self._find(text)
        self._step_matched |= match is not None
        self._match = match if self._step >= self._start_step else None
        self._fired = []
        self._expected = self._sites - set(kwargs.get("skip_layers") or ())
        if self._match is not None:
            self._text = self._transformer.context_embedder(self._match.donors)
            if self._match.pooled is not None:
                pooled = kwargs["pooled_projections"].clone()
                pooled[self._match.rows] = self._match.pooled.to(pooled)
                return args, {**kwargs, "pooled_projections": pooled}
        return None

    def _after_call(self, _module: nn.Module, _args: Any, _output: Any) -> None:
        if self._match is not None and sorted(self._fired) != sorted(self._expected):
            raise SubstitutionError(
                f"sites {sorted(self._expected)} should each have fired once, but {self._fired} did"
            )
        self._forget()

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
    for name, module in transformer.named_modules():
        registry = getattr(module, "_diffusers_hook", None)
        foreign = sorted(set(getattr(registry, "hooks", ())) - _HARMLESS_HOOKS)
        if foreign:
            raise SubstitutionError(
                f"{name or 'the denoiser'} has the hook {foreign[0]!r}, which may skip sites: remove it"
            )
        if module._compiled_call_impl is not None:
            raise SubstitutionError(
                f"{name or 'the denoiser'} is compiled: substitution would not fire"
            )
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
