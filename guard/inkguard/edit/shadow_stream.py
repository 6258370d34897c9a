"""Substitution for joint attention in one pass: a shadow text stream beside the real one.

In an MMDiT the text stream changes from block to block, so the donor's keys and values at a site
need the donor's own stream through all earlier blocks. For flagged rows only, the donor's tokens
travel along: they attend to [donor text, picture], the picture does not see them, except at the
sites, where the picture's queries read the donor's keys and values in place of the prompt's.
Patching at localized layers: Staniszewski et al. 2025, section 3; the one-pass form is our own
(docs/guides/substitution.md).

Here is what all families share. A family says how its blocks take text along, in attention processors
that do what the stock ones do and carry the shadow on. Everything that needs weights happens inside of
the denoiser's own modules, so offloading has them in place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from torch import nn

from inkguard.edit.diffusers_internals import attention_backend, runs_in_context_parallelism
from inkguard.edit.rows import FlaggedPrompt, RowMatch
from inkguard.edit.substitution import Substitution
from inkguard.errors import SubstitutionError

__all__ = [
    "Attention",
    "Heads",
    "ShadowProcessor",
    "ShadowStream",
    "clip_half",
    "dispatched",
    "feed_text_forward",
]

Attention = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]
"""Queries, keys, values and which keys are visible (B, 1, 1, keys), None for all; to queries' shape."""

_HALF_MAX = 65504


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """Queries, keys and values of some tokens: (B, tokens, heads, width), or heads before tokens."""

    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor

    def __getitem__(self, rows: torch.Tensor) -> Heads:
        return Heads(self.q[rows], self.k[rows], self.v[rows])


class ShadowStream(Substitution):
    """Substitution in a transformer whose text stream changes; `sites` are numbers of blocks.

    Where the flagged prompts carry a `donor_pooled`, their rows' `pooled_projections` are the donor's
    too, from the same step on. Refused on entering: fused projections, a foreign attention processor,
    context parallelism, an enabled cache.
    """

    _processor: type
    """The attention processor that is understood; any other is refused."""
    _token_dim: int = 1
    """Which dimension of `Heads` counts tokens."""
    _text_first: bool = True
    """Whether text stands before the picture in the joint sequence."""

    def __init__(
        self,
        transformer: Any,
        sites: Sequence[int],
        flagged: Sequence[FlaggedPrompt],
        *,
        unconditional: torch.Tensor | None = None,
        start_step: int = 0,
        pictures: int | None = None,
    ) -> None:
        super().__init__(
            transformer,
            sites,
            flagged,
            unconditional=unconditional,
            start_step=start_step,
            pictures=pictures,
        )
        self._transformer: Any = self._denoiser
        self._last = max(sites)
        self._skipped: frozenset[int] = frozenset()
        self._passed: list[int] = []
        self._text: torch.Tensor | None = None
        self._temb: torch.Tensor | None = None
        self._visible: torch.Tensor | None = None

    @classmethod
    def sites_of(cls, denoiser: Any) -> list[tuple[str, Any]]:
        """One a block, first to last. SD3.5's second attention (`attn2`) reads the picture alone: never a site."""
        return [
            (f"transformer_blocks.{n}.attn", block.attn)
            for n, block in enumerate(denoiser.transformer_blocks)
        ]

    def _new_processor(self, index: int, block: Any, original: Any) -> ShadowProcessor:
        """What stands in for the processor `original` of the site `index`, which is part of `block`."""
        raise NotImplementedError

    def _embed(self, match: RowMatch) -> torch.Tensor:
        """The donors' text (R, tokens, width) as it enters the first block; sets `_visible` if needed."""
        embedded: torch.Tensor = self._transformer.context_embedder(match.donors)
        return embedded

    @property
    def text(self) -> torch.Tensor:
        """The shadow text stream (R, tokens, width) between two blocks; settable."""
        if self._text is None:
            assert self._found is not None
            self._text = self._embed(self._found)
        return self._text

    @text.setter
    def text(self, stream: torch.Tensor) -> None:
        self._text = stream

    @property
    def temb(self) -> torch.Tensor:
        """The flagged rows' embedding of time (and of pooled text, guidance) (R, width)."""
        if self._temb is None:
            raise SubstitutionError("the denoiser made no embedding of its time: was it replaced?")
        return self._temb

    def read(
        self,
        index: int,
        joint: Heads,
        tokens: int,
        shadow: Heads,
        attention: Attention,
        mask: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attention of the site `index` with the shadow beside it.

        `joint` is what the stock processor would attend with, `tokens` of it text, under `mask`
        (B, 1, 1, keys). Returns its output in the shape of `joint.q`, and the shadow's in the shape
        of `shadow.q`, None after the last site.
        """
        match = self.match
        assert match is not None
        rows, others, dim = match.rows, match.others, self._token_dim
        self._passed.append(index)
        pictures = joint.q.shape[dim] - tokens

        def split(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            if self._text_first:
                return x.narrow(dim, 0, tokens), x.narrow(dim, tokens, pictures)
            return x.narrow(dim, pictures, tokens), x.narrow(dim, 0, pictures)

        def join(text: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
            return torch.cat([text, picture] if self._text_first else [picture, text], dim)

        seen_k = join(shadow.k, split(joint.k)[1][rows])
        seen_v = join(shadow.v, split(joint.v)[1][rows])
        visible = self._visible
        if visible is not None:
            everything = visible.new_ones(len(rows), pictures)
            order = [visible, everything] if self._text_first else [everything, visible]
            visible = torch.cat(order, dim=1)[:, None, None]
        if index in self._sites:
            self._fired.append(index)
            own = joint[rows]
            text_q, picture_q = split(own.q)
            edited = join(
                attention(text_q, own.k, own.v, _rows(mask, rows)),
                attention(picture_q, seen_k, seen_v, visible),
            )
            out = torch.empty_like(joint.q)
            out[rows] = edited
            if len(others):
                rest = joint[others]
                out[others] = attention(rest.q, rest.k, rest.v, _rows(mask, others))
        else:
            out = attention(joint.q, joint.k, joint.v, mask)
        if index == self._last:
            return out, None
        return out, attention(shadow.q, seen_k, seen_v, visible)

    @classmethod
    def _passed_through(cls, denoiser: nn.Module, sites: Sequence[int]) -> list[tuple[str, Any]]:
        return cls.sites_of(denoiser)[: max(sites) + 1]

    @classmethod
    def _refuse_site(cls, name: str, attn: Any) -> None:
        super()._refuse_site(name, attn)
        found = type(attn.processor)
        if found is not cls._processor:
            ip = ": IP-Adapters are not supported here" if "IPAdapter" in found.__name__ else ""
            raise SubstitutionError(
                f"{name} runs {found.__name__}, not {cls._processor.__name__}{ip}"
            )
        if runs_in_context_parallelism(attn.processor):
            raise SubstitutionError(f"{name} runs in context parallelism: disable it")

    def _install(self, undo: ExitStack) -> None:
        model = self._transformer
        undo.callback(model.register_forward_pre_hook(self._before_call, with_kwargs=True).remove)
        undo.callback(model.time_text_embed.register_forward_hook(self._note_time).remove)
        for index, (name, attn) in enumerate(self._passed_through(model, [self._last])):
            original = attn.processor
            undo.callback(setattr, attn, "processor", original)
            block = model.get_submodule(name.rpartition(".")[0])
            attn.processor = self._new_processor(index, block, original)
        undo.callback(model.register_forward_hook(self._end_call).remove)

    def _forget(self) -> None:
        super()._forget()
        self._text = self._temb = self._visible = None

    def _skips(self, _call: dict[str, Any]) -> Collection[int]:
        """Sites that this denoiser call leaves out on purpose."""
        return ()

    def _before_call(
        self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        if self._is_foreign():
            return None
        if args:
            raise SubstitutionError("the denoiser must be called with keyword arguments")
        self._passed, self._skipped = [], frozenset(self._skips(kwargs))
        match = self._begin_call(kwargs["encoder_hidden_states"], kwargs["timestep"], self._skipped)
        if match is None or match.pooled is None:
            return None
        pooled = kwargs["pooled_projections"].clone()
        pooled[match.rows] = match.pooled.to(pooled)
        return args, {**kwargs, "pooled_projections": pooled}

    def _note_time(self, _module: nn.Module, _args: Any, output: torch.Tensor) -> None:
        if (match := self.match) is not None:
            self._temb = output[match.rows]

    def _end_call(self, module: nn.Module, args: Any, output: Any) -> None:
        edited = self.match is not None
        super()._end_call(module, args, output)
        expected = [n for n in range(self._last + 1) if n not in self._skipped]
        if edited and self._passed != expected:
            raise SubstitutionError(
                f"the donor's text should have passed through the attention of blocks {expected}, "
                f"but it passed through {self._passed}"
            )


class ShadowProcessor:
    """A block's stock attention processor with the shadow beside it; without flagged rows, just that.

    Families give `__call__` the stock processor's parameters by name: attention modules look at them.
    """

    def __init__(self, edit: Any, index: int, block: Any, original: Any) -> None:
        self._edit, self._index, self._block, self._original = edit, index, block, original

    @property
    def original(self) -> Any:
        """The processor that it stands in for."""
        return self._original


def feed_text_forward(
    block: Any, text: torch.Tensor, attended: torch.Tensor, gates: Sequence[torch.Tensor]
) -> torch.Tensor:
    """The text stream (R, tokens, width) after a double-stream block of SD3 or FLUX.

    `attended` is its attention's output; `gates` (R, width) are what the block's `norm1_context`
    made of time: gate of attention, then shift, scale and gate of the feed-forward layer.
    """
    attention_gate, shift, scale, forward_gate = (g.unsqueeze(1) for g in gates)
    text = text + attention_gate * attended
    normed = block.norm2_context(text) * (1 + scale) + shift
    return text + forward_gate * block.ff_context(normed)


def dispatched(original: Any) -> Attention:
    """The attention backend of the stock processor `original`, which diffusers dispatches to."""

    def attend(
        q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        out: torch.Tensor = dispatch_attention_fn(
            q, k, v, attn_mask=mask, backend=attention_backend(original)
        )
        return out.to(q.dtype)

    return attend


def clip_half(x: torch.Tensor) -> torch.Tensor:
    """As the blocks of FLUX and Qwen-Image do, so that float16 does not overflow."""
    return x.clip(-_HALF_MAX, _HALF_MAX) if x.dtype == torch.float16 else x


def _rows(mask: torch.Tensor | None, rows: torch.Tensor) -> torch.Tensor | None:
    return mask if mask is None else mask[rows]
