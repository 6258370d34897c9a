"""The sites of a model, and the patches: the ways of drawing with another text at some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from inkguard.errors import UnsupportedModel
from inkguard.manifests.manifest import Manifest

__all__ = ["NONE", "WHOLE", "Patch", "Site", "drawing_manifest", "text_sites"]


@dataclass(frozen=True, slots=True)
class Site:
    """An attention module in which the picture reads text; `number` is its place in the execution."""

    number: int
    module: str
    parameters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One way to draw the pairs: the donor's text at `sites` from denoising step `start_step` on.

    `swap_pooled`: with the donor's pooled text as well. `whole`: the donor's prompt in place of the
    prompt, nothing patched. Without sites and `whole` it is the unpatched picture.
    """

    sites: tuple[int, ...] = ()
    start_step: int = 0
    swap_pooled: bool = False
    whole: bool = False

    @property
    def key(self) -> str:
        """The name in `results.jsonl`, unique among the patches."""
        if not self.sites:
            return "whole prompt" if self.whole else "none"
        start = f" from step {self.start_step}" if self.start_step else ""
        pooled = " and pooled text" if self.swap_pooled else ""
        return f"{','.join(map(str, self.sites))}{start}{pooled}"

    @property
    def slug(self) -> str:
        """A folder name."""
        if not self.sites:
            return "whole-prompt" if self.whole else "unpatched"
        start = f"_from-step-{self.start_step}" if self.start_step else ""
        pooled = "_pooled" if self.swap_pooled else ""
        low, high = self.sites[0], self.sites[-1]
        run = len(self.sites) > 3 and high - low == len(self.sites) - 1
        places = f"{low:02d}-to-{high:02d}" if run else "-".join(f"{s:02d}" for s in self.sites)
        return f"sites-{places}{start}{pooled}"


NONE, WHOLE = Patch(), Patch(whole=True)


def text_sites(denoiser: nn.Module, named: Sequence[tuple[str, nn.Module]]) -> list[Site]:
    """The sites of a denoiser, given their names and modules in the order of execution.

    Raises UnsupportedModel where there is none.
    """
    if not named:
        raise UnsupportedModel(
            f"this {type(denoiser).__name__} has no attention in which the picture reads text, so "
            f"there is nothing to localize"
        )
    return [
        Site(number, name, sum(p.numel() for p in module.parameters()))
        for number, (name, module) in enumerate(named)
    ]


def drawing_manifest(patch: Patch, sites: Sequence[Site], pipe: Any, denoiser: Any) -> Manifest:
    """A patch as a manifest that lasts for one drawing."""
    return Manifest(
        name="localize",
        pipeline=type(pipe).__name__,
        denoiser=type(denoiser).__name__,
        config={},
        weights_digest=None,
        source="measured",
        sites=patch.sites,
        modules=tuple(sites[n].module for n in patch.sites),
        start_step=patch.start_step,
        swap_pooled=patch.swap_pooled,
    )
