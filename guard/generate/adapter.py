"""One small adapter per pipeline family, with one call shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import nn

from guard.errors import UnsupportedModel
from guard.generate.deepfloyd import IfAdapter
from guard.generate.flux import FluxAdapter
from guard.generate.pixart import PixArtAdapter
from guard.generate.qwen import QwenAdapter
from guard.generate.sana import SanaAdapter
from guard.generate.sd3 import Sd3Adapter
from guard.generate.sdxl import SdxlAdapter
from guard.substitute.edit import Substitution
from guard.substitute.manifest import Manifest

__all__ = ["Adapter", "adapter_for"]


class Adapter(Protocol):
    """What the guard needs to know of a pipeline family."""

    @property
    def text_arguments(self) -> tuple[str, ...]:
        """Arguments of the call whose text the picture may show."""

    @property
    def embedding_arguments(self) -> tuple[str, ...]:
        """Arguments that bring text in unread; calls that use them are refused."""

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


_ADAPTERS: dict[str, Adapter] = {
    "FluxControlNetPipeline": FluxAdapter(),
    "FluxImg2ImgPipeline": FluxAdapter(),
    "FluxInpaintPipeline": FluxAdapter(),
    "FluxPipeline": FluxAdapter(),
    "IFPipeline": IfAdapter(),
    "PixArtAlphaPipeline": PixArtAdapter(),
    "PixArtSigmaPipeline": PixArtAdapter(),
    "QwenImageControlNetPipeline": QwenAdapter(),
    "QwenImageImg2ImgPipeline": QwenAdapter(),
    "QwenImageInpaintPipeline": QwenAdapter(),
    "QwenImagePipeline": QwenAdapter(),
    "SanaControlNetPipeline": SanaAdapter(),
    "SanaPipeline": SanaAdapter(),
    "SanaSprintImg2ImgPipeline": SanaAdapter(),
    "SanaSprintPipeline": SanaAdapter(),
    "StableDiffusion3Pipeline": Sd3Adapter(),
    "StableDiffusionXLPipeline": SdxlAdapter(),
}


def adapter_for(pipe: Any) -> Adapter:
    """The adapter of a pipeline's class; raises UnsupportedModel for a family that is not known."""
    name = type(pipe).__name__
    if name not in _ADAPTERS:
        known = ", ".join(sorted(_ADAPTERS))
        raise UnsupportedModel(f"{name} is not supported; pipelines that are: {known}")
    return _ADAPTERS[name]
