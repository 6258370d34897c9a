"""What the adapters of all families have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from inkguard.edit.substitution import Substitution

__all__ = ["PipelineAdapter"]


class PipelineAdapter:
    """A family reads its prompts as they are written, and takes no embeddings, unless it says otherwise."""

    edit: type[Substitution]
    """How its denoiser is edited."""
    denoiser_component: str
    """The pipeline's attribute that holds the denoiser."""
    text_arguments: tuple[str, ...]
    embedding_arguments: tuple[str, ...]
    declared_arguments: tuple[str, ...] = ()
    """Those of `embedding_arguments` that may be given beside the text that they were made of."""
    in_template: bool = False
    """Whether the encoder reads the prompt within a text of the pipeline's own."""

    def denoiser(self, pipe: Any) -> Any:
        return getattr(pipe, self.denoiser_component)

    def read_text(self, pipe: Any, call: Mapping[str, Any], name: str, text: str) -> str:
        return text

    def encode_declared(
        self, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Sequence[str]]
    ) -> dict[str, torch.Tensor]:
        """What `declared_arguments` would be for `texts`: (rows, tokens, width), pooled (rows, width)."""
        raise NotImplementedError
