"""The paper's own patching, as a baseline: a second generation lends its text keys and values.

Staniszewski et al. 2025, section 3: the donor prompt is drawn first, from the same noise, and what its text
becomes as keys and values at the sites is kept for every step; then the prompt is drawn with those in
place of its own. It costs a whole second picture and the memory of the cache. Works wherever
text has key and value layers of its own: cross-attention, added keys (DeepFloyd IF), joint attention.
Keys and values alone are patched: pooled text stays the prompt's, also where a manifest swaps it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

from inkguard.edit.rows import FlaggedPrompt
from inkguard.edit.substitution import Substitution, refuse_hooked
from inkguard.errors import SubstitutionError

__all__ = ["PatchText", "RecordText", "TextCache"]

TextCache = dict[tuple[int, int, str], torch.Tensor]
"""By (denoiser call, site, "key" or "value"): (R, tokens, width) of the donors, in their prompts' order of rows."""


class _AtTextLayers(Substitution):
    """Hooks on the layers that make keys and values of text, at some attention modules."""

    def __init__(
        self,
        denoiser: nn.Module,
        sites: Mapping[int, nn.Module],
        flagged: Sequence[FlaggedPrompt],
        cache: TextCache,
        *,
        start_step: int = 0,
    ) -> None:
        super().__init__(denoiser, sorted(sites), flagged, start_step=start_step)
        self._modules, self._cache = dict(sites), cache
        self._call = -1

    def _refuse(self) -> None:
        refuse_hooked(self._denoiser)
        for number, attn in self._modules.items():
            self._refuse_site(f"site {number}", attn)
            if not _text_layers(attn):
                raise SubstitutionError(
                    f"site {number} has no key and value layers for text alone: two passes cannot patch it"
                )

    def _install(self, undo: ExitStack) -> None:
        before = self._denoiser.register_forward_pre_hook(self._before_call, with_kwargs=True)
        undo.callback(before.remove)
        for number, attn in self._modules.items():
            for name, layer in _text_layers(attn).items():
                undo.callback(
                    layer.register_forward_hook(self._at_layer(number, name, layer)).remove
                )
        undo.callback(self._denoiser.register_forward_hook(self._end_call).remove)

    def _before_call(self, _module: nn.Module, args: tuple[Any, ...], given: Any) -> None:
        if self._is_foreign():
            return
        call = dict(zip(("sample", "timestep", "encoder_hidden_states"), args, strict=False))
        call |= given
        # Not the step: schedulers of second order call the denoiser twice at one timestep.
        self._call += 1
        self._begin_call(call["encoder_hidden_states"], call["timestep"])

    def _at_layer(self, number: int, name: str, layer: nn.Module) -> Callable[..., Any]:
        def hook(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor | None:
            if (match := self.match) is None:
                return None
            if name == "value":  # the second of the two
                self._fired.append(number)
            return self._handle((self._call, number, name), output, match.rows)

        return hook

    def _handle(
        self, key: tuple[int, int, str], output: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor | None:
        """Take note of a layer's output (B, tokens, width), or return another in its place."""
        raise NotImplementedError


class RecordText(_AtTextLayers):
    """A `with` block around the donors' own generation that fills `cache`.

    `flagged` hold the donor's embeddings as the prompt's (`embeds`): theirs are the rows to note.
    """

    def _handle(
        self, key: tuple[int, int, str], output: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor | None:
        self._cache[key] = output[rows].detach().clone()
        return None


class PatchText(_AtTextLayers):
    """A `with` block around the prompts' generation that reads `cache` at the flagged rows.

    Raises SubstitutionError where the first generation made no such denoiser call.
    """

    def _handle(
        self, key: tuple[int, int, str], output: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor | None:
        kept = self._cache.get(key)
        if kept is None or len(kept) != len(rows):
            raise SubstitutionError(
                f"the first generation kept nothing that fits step {self._step}, site {key[1]}"
            )
        edited = output.clone()
        edited[rows] = kept.to(edited)
        return edited


def _text_layers(attn: Any) -> dict[str, nn.Module]:
    """The layers that make keys and values of text alone; empty where text shares the picture's."""
    if getattr(attn, "add_k_proj", None) is not None:
        return {"key": attn.add_k_proj, "value": attn.add_v_proj}
    if getattr(attn, "is_cross_attention", False):
        return {"key": attn.to_k, "value": attn.to_v}
    return {}
