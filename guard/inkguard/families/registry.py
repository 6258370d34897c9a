"""The register of pipeline families, and what is looked up in it by a pipeline's class."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from inkguard.edit.diffusers_internals import plain
from inkguard.edit.substitution import Substitution
from inkguard.errors import UnsupportedModel
from inkguard.families.base import Adapter
from inkguard.families.call_arguments import EMBEDDINGS, NEGATIVE, TEXTS
from inkguard.families.unsupported import why_not
from inkguard.manifests.manifest import Manifest, choose_manifest

__all__ = [
    "Adapter",
    "Family",
    "adapter_for",
    "families",
    "family_of",
    "manifest_for",
    "register_family",
    "substituted",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Family:
    """Pipelines that are called and edited in one way: all that the guard knows of them.

    `pipelines` are the classes, each exactly (what is derived from one is another class); diffusers' own may be
    given by name, so that they need not be imported. `denoiser` is the class that is edited, and `config`
    are the fields of its configuration that a manifest holds: those that decide which sites there are, or
    that tell checkpoints of the family apart. Fields that a later diffusers adds are then of no account.
    """

    name: str
    pipelines: tuple[str | type, ...]
    denoiser: type[nn.Module]
    adapter: Adapter
    config: tuple[str, ...]


_families: dict[str | type, Family] = {}
"""By pipeline class, or the name of one of diffusers' own."""


def register_family(family: Family) -> None:
    """Let the guard take pipelines of a family, in this process.

    There is no other way: no entry point or plug-in folder is searched. A family says which arguments carry
    text, so one that came along with some installed package could have a server draw text that nobody checked.

    Raises ValueError for a family that could leave text unchecked. One of its pipelines is in the register
    already, or takes text that the adapter does not name, or hides arguments behind `**kwargs` whose defaults
    the guard needs. Or the adapter takes an argument for what it is not, or its edit does not know the denoiser.
    Example::

        class MyAdapter(SdAdapter):
            settings = frozenset({"sharpness"})

        register_family(
            Family(
                name="mine",
                pipelines=(MyPipeline,),
                denoiser=UNet2DConditionModel,
                adapter=MyAdapter(),
                config=UNET_CONFIG,
            )
        )
    """
    adapter = family.adapter
    if not issubclass(family.denoiser, adapter.edit.denoisers):
        raise ValueError(f"{adapter.edit.__name__} does not edit a {family.denoiser.__name__}")
    _refuse_names(adapter)
    for kind in family.pipelines:
        if not kind:
            raise ValueError("a pipeline needs a name")
        if kind in _families or (isinstance(kind, type) and _name_of(kind) in _families):
            raise ValueError(f"{kind} is registered already")
        if isinstance(kind, type):
            _refuse_parameters(kind, adapter)
    _families.update(dict.fromkeys(family.pipelines, family))


def families() -> tuple[Family, ...]:
    """What is registered, in the order in which it was."""
    return tuple(dict.fromkeys(_families.values()))


def family_of(pipe: Any) -> Family:
    """The family of a pipeline's class; raises UnsupportedModel, with the reason, for others."""
    kind = type(pipe)
    family = _families.get(kind) or _families.get(_name_of(kind))
    if family is None:
        raise UnsupportedModel(why_not(kind))
    return family


def adapter_for(pipe: Any) -> Adapter:
    """The adapter of a pipeline's class; raises UnsupportedModel, with the reason, for others."""
    return family_of(pipe).adapter


def manifest_for(
    pipe: Any,
    folder: Path | None,
    *,
    given: Manifest | None = None,
    fallback: bool = False,
    unreached: bool = False,
) -> Manifest | None:
    """The manifest to draw by with a pipeline from `folder`; options and errors are `choose_manifest`'s."""
    adapter = adapter_for(pipe)
    return choose_manifest(
        plain(adapter.denoiser(pipe)),
        adapter.site_names(pipe),
        folder,
        given=given,
        fallback=fallback,
        unreached=unreached,
    )


def substituted(
    pipe: Any,
    call: Mapping[str, Any],
    donors: Sequence[str],
    sites: Sequence[int],
    *,
    start_step: int = 0,
) -> Substitution:
    """A `with` block in which the pipeline call `call` reads `donors` at some `sites`, without a guard.

    `donors` has a text for each prompt; where it is the prompt itself, that row is left alone. `sites` are
    numbers in the order in which the model runs them. The first `start_step` steps run unedited.
    Whatever happens within, the model is afterwards as it was. Raises UnsupportedModel for a
    pipeline of no family, and SubstitutionError where the edit could be skipped or go wrong. Example::

        call = {"prompt": ['a sign that says "HELLO"'], "num_inference_steps": 28}
        with substituted(pipe, call, ['a sign that says "WORLD"'], sites=[10]):
            image = pipe(**call).images[0]

    The edit is that of Staniszewski et al., Precise Parameter Localization for Textual Generation in
    Diffusion Models, ICLR 2025 (docs/guides/substitution.md).
    """
    adapter = adapter_for(pipe)
    names = adapter.site_names(pipe)
    manifest = Manifest(
        name="given sites",
        pipeline=type(pipe).__name__,
        denoiser=type(plain(adapter.denoiser(pipe))).__name__,
        config={},
        weights_digest=None,
        source="given",
        sites=tuple(sites),
        modules=tuple(names[site] if 0 <= site < len(names) else "" for site in sites),
        start_step=start_step,
    )
    rows = [
        n for n, (own, donor) in enumerate(zip(call["prompt"], donors, strict=True)) if own != donor
    ]
    return adapter.substituted(pipe, manifest, call, rows, {"prompt": [*donors]})


def _name_of(kind: type) -> str:
    """The name of one of diffusers' own classes; a class of that name from elsewhere may take other text."""
    return kind.__name__ if kind.__module__.split(".")[0] == "diffusers" else ""


def _refuse_names(adapter: Adapter) -> None:
    """Raise ValueError where an adapter takes an argument for what it is not."""
    texts, embeddings = {*adapter.text_arguments}, {*adapter.embedding_arguments}
    if "prompt" not in texts or not texts <= TEXTS:
        raise ValueError(f"text_arguments must be `prompt` and others of {sorted(TEXTS)}")
    if not embeddings <= EMBEDDINGS | NEGATIVE:
        raise ValueError(f"embedding_arguments must be of {sorted(EMBEDDINGS | NEGATIVE)}")
    textual = {
        n for n in adapter.settings if any(part in n for part in ("prompt", "embeds", "text"))
    }
    if textual:
        raise ValueError(f"{sorted(textual)} are no settings: they sound like text")


def _refuse_parameters(kind: Any, adapter: Adapter) -> None:
    """Raise ValueError where a pipeline's call has text that nobody checks, or hides what the guard looks up."""
    parameters = {*inspect.signature(kind.__call__).parameters}
    if unread := TEXTS & parameters - {*adapter.text_arguments}:
        raise ValueError(f"{kind.__name__} takes {sorted(unread)}, which nobody would check")
    needed = {*adapter.text_arguments, adapter.guidance_argument, "num_inference_steps"}
    if hidden := needed - parameters:
        raise ValueError(f"the call of {kind.__name__} does not name {sorted(hidden)}")
