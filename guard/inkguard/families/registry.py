"""One small adapter per pipeline family, with one call shape; families.py says which classes it goes for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import nn

from inkguard.edit.substitution import Substitution
from inkguard.errors import UnsupportedModel
from inkguard.families.deepfloyd.adapter import IfAdapter
from inkguard.families.flux.adapter import FluxAdapter
from inkguard.families.pixart.adapter import PixArtAdapter
from inkguard.families.qwen_image.adapter import QwenAdapter
from inkguard.families.sana.adapter import SanaAdapter
from inkguard.families.sd.adapter import SdAdapter
from inkguard.families.sd3.adapter import Sd3Adapter
from inkguard.families.sdxl.adapter import SdxlAdapter
from inkguard.families.supported import FAMILIES, why_not
from inkguard.manifests.manifest import Manifest

__all__ = ["Adapter", "adapter_for"]


class Adapter(Protocol):
    """What the guard needs to know of a pipeline family."""

    @property
    def edit(self) -> type[Substitution]:
        """How the denoiser is edited."""

    @property
    def denoiser_component(self) -> str:
        """The pipeline's attribute that holds the denoiser."""

    @property
    def text_arguments(self) -> tuple[str, ...]:
        """Arguments of the call whose text the picture may show."""

    @property
    def embedding_arguments(self) -> tuple[str, ...]:
        """Arguments that bring text in unread; calls that use them are refused, but for declared ones."""

    @property
    def declared_arguments(self) -> tuple[str, ...]:
        """Those of them that may be given beside the text that they were made of."""

    @property
    def in_template(self) -> bool:
        """Whether the encoder reads the prompt within a text of the pipeline's own."""

    def encode_declared(
        self, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Sequence[str]]
    ) -> dict[str, torch.Tensor]:
        """What `declared_arguments` would be for `texts`: (rows, tokens, width), pooled (rows, width)."""

    def denoiser(self, pipe: Any) -> Any:
        """The module that is edited."""

    def sites(self, pipe: Any) -> list[tuple[str, nn.Module]]:
        """Name in the denoiser and attention module of every site, in order of execution."""

    def read_text(self, pipe: Any, call: Mapping[str, Any], name: str, text: str) -> str:
        """What the text encoder reads of `text` in the argument `name` of the pipeline call `call`.

        Raises InvalidInput, without quoting it, for text that the pipeline cannot read.
        """

    def check_size(self, pipe: Any, width: int | None, height: int | None) -> None:
        """Raise InvalidInput for a size in pixels that the model cannot draw; None is its default."""

    def substituted(
        self,
        pipe: Any,
        manifest: Manifest,
        call: Mapping[str, Any],
        rows: Sequence[int],
        donors: Mapping[str, Sequence[str]],
    ) -> Substitution:
        """A `with` block for the pipeline call `call`.

        `call` holds its text arguments as lists; `rows` are the flagged ones, `donors` the same
        lists with donor text in those rows.
        """


_ADAPTERS: Mapping[str, Adapter] = {
    "flux": FluxAdapter(),
    "if": IfAdapter(),
    "pixart": PixArtAdapter(),
    "qwen": QwenAdapter(),
    "sana": SanaAdapter(),
    "sd": SdAdapter(),
    "sd3": Sd3Adapter(),
    "sdxl": SdxlAdapter(),
}


def adapter_for(pipe: Any) -> Adapter:
    """The adapter of a diffusers pipeline's class; raises UnsupportedModel, with the reason, for others."""
    kind = type(pipe)
    family = FAMILIES.get(kind.__name__)
    # A class of the same name from elsewhere may take text that the adapter does not know of.
    if family is None or family.adapter is None or kind.__module__.split(".")[0] != "diffusers":
        raise UnsupportedModel(why_not(kind))
    return _ADAPTERS[family.adapter]
