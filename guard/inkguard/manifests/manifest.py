"""Manifests: which sites draw the letters of which model, and how that is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from inkguard.edit.diffusers_internals import plain
from inkguard.errors import ManifestError, UnsupportedModel
from inkguard.frozen import FrozenDict, freeze

__all__ = [
    "FILE_NAME",
    "NUMBERING",
    "Manifest",
    "choose_manifest",
    "digest_config",
    "digest_weights",
    "find_manifest",
    "load_manifest",
    "shipped_manifests",
]

FILE_NAME = "inkguard.manifest.yaml"
"""A manifest of this name in a model's folder belongs to that model."""
NUMBERING = "order of execution"
"""How sites are numbered: a U-Net's down, mid and up, which `named_modules()` has in another order."""
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is known of one model.

    `config` holds the denoiser's config fields that must agree; `weights_digest` is the SHA-256 of
    the denoiser's weights ("sha256:..."), None where it is not known. `sites` are numbered in the
    order in which the model runs them, and `modules` are their names. The sites start after
    `start_step` steps of `of_steps`, whatever number of steps a request makes; with `of_steps` None,
    after `start_step` steps of any request. `swap_pooled`: flagged rows get the donor's pooled text
    as well. `call` are arguments of the pipeline that the model needs. `digest` is the SHA-256 of
    the file, empty for one that was not read from a file. Raises ValueError for fields that
    contradict each other.
    """

    name: str
    pipeline: str
    denoiser: str
    config: Mapping[str, Any]
    weights_digest: str | None
    source: str
    sites: tuple[int, ...]
    modules: tuple[str, ...]
    start_step: int
    of_steps: int | None = None
    swap_pooled: bool = False
    call: Mapping[str, Any] = FrozenDict()
    evidence: Mapping[str, Any] = FrozenDict()
    digest: str = ""

    def __post_init__(self) -> None:
        freeze(self)
        if len(self.sites) != len(self.modules):
            raise ValueError(f"{len(self.sites)} sites, but {len(self.modules)} modules")
        if self.start_step < 0 or (
            self.of_steps is not None and not self.start_step < self.of_steps
        ):
            raise ValueError(
                f"start_step {self.start_step} of {self.of_steps} steps is none of them"
            )

    @property
    def reached(self) -> bool:
        """Whether the sites did what they were measured for; False where none did and these came closest."""
        return bool(self.evidence.get("reached", True))

    def first_step(self, steps: int) -> int:
        """How many of a request's `steps` run before the sites start.

        Rounded down: starting earlier changes a little more of the picture, starting later may
        leave the word in it.
        """
        if self.of_steps is None:
            return self.start_step
        return self.start_step * steps // self.of_steps

    def differences(
        self, denoiser: Any, names: Sequence[str], weights_digest: str | None
    ) -> Iterator[str]:
        """Say how a diffusers denoiser (and its weights, where digested) differs from the manifest's.

        `names` are the modules of its sites, in the order in which it runs them.
        """
        denoiser = plain(denoiser)
        if type(denoiser).__name__ != self.denoiser:
            yield f"the denoiser is a {type(denoiser).__name__}, the manifest is for {self.denoiser}"
            return
        for key, expected in self.config.items():
            found = denoiser.config.get(key)
            found = list(found) if isinstance(found, tuple) else found
            if found != expected:
                yield f"{key} is {found!r}, the manifest says {expected!r}"
        if self.weights_digest and weights_digest and weights_digest != self.weights_digest:
            yield f"the weights are {weights_digest[:19]}..., the manifest says {self.weights_digest[:19]}..."
        for site, module in zip(self.sites, self.modules, strict=True):
            if not 0 <= site < len(names):
                yield f"there is no site {site}: the model has sites 0 to {len(names) - 1}"
            elif names[site] != module:
                yield f"site {site} is {names[site]}, the manifest says {module}"


def load_manifest(path: Path) -> Manifest:
    """Read one manifest; raises ManifestError that names the file and the key at fault."""
    try:
        content = path.read_bytes()
        data = yaml.safe_load(content.decode("utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read: {error}") from None
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise ManifestError(f"{path}: not a manifest of format {_FORMAT}")
    try:
        model, substitution = data["model"], data["substitution"]
        if (numbering := substitution.get("numbering", NUMBERING)) != NUMBERING:
            raise ValueError(f"the numbering is {numbering!r}; it must be {NUMBERING!r}")
        return Manifest(
            name=str(data["name"]),
            pipeline=str(model["pipeline"]),
            denoiser=str(model["denoiser"]),
            config=dict(model["config"]),
            weights_digest=model["weights_digest"],
            source=str(data["source"]),
            sites=tuple(int(s) for s in substitution["sites"]),
            modules=tuple(str(m) for m in substitution["modules"]),
            start_step=int(substitution["start_step"]),
            of_steps=int(of) if (of := substitution.get("of_steps")) is not None else None,
            swap_pooled=bool(substitution.get("swap_pooled", False)),
            call=dict(data.get("call") or {}),
            evidence=dict(data.get("evidence") or {}),
            digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
        )
    except KeyError as error:
        raise ManifestError(f"{path}: the key {error} is missing") from None
    except (TypeError, ValueError) as error:
        raise ManifestError(f"{path}: {error}") from None


def digest_config(denoiser: Any) -> str:
    """SHA-256 of a denoiser's configuration without the library's own notes: "sha256:..."."""
    config = {k: v for k, v in dict(denoiser.config).items() if not k.startswith("_")}
    data = json.dumps(config, sort_keys=True, default=str).encode()
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def digest_weights(folder: Path) -> str | None:
    """SHA-256 over the safetensors files of a model's `transformer` or `unet` folder, in name order."""
    files = sorted([*folder.glob("transformer/*.safetensors"), *folder.glob("unet/*.safetensors")])
    if not files:
        return None
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def shipped_manifests() -> list[Path]:
    """The manifests in the package."""
    return sorted(Path(__file__).parent.glob("*.yaml"))


def choose_manifest(
    denoiser: Any,
    names: Sequence[str],
    folder: Path | None,
    *,
    given: Manifest | None = None,
    fallback: bool = False,
    unreached: bool = False,
) -> Manifest | None:
    """The manifest to draw by: `given`, or what `find_manifest` finds; None for whole-prompt swap.

    Raises as `find_manifest` does, but for UnsupportedModel with `fallback`; and ManifestError for
    one whose measurement missed its goal (`reached: false`), unless `unreached` takes it.
    """
    try:
        manifest = find_manifest(denoiser, names, folder) if given is None else given
    except UnsupportedModel:
        if not fallback:
            raise
        return None
    if not (manifest.reached or unreached):
        raise ManifestError(
            f"the manifest {manifest.name!r} says `reached: false`: no set of sites kept the word out "
            f"as well as a swap of the whole prompt does, so it may stay in the picture. Measure "
            f"again with more pictures (docs/how-to/localize.md), or take it with unreached=True"
        )
    return manifest


def find_manifest(denoiser: Any, names: Sequence[str], folder: Path | None) -> Manifest:
    """The manifest that fits a denoiser and its sites' `names`: the one in the model's folder, else a shipped one.

    Raises ManifestError where the folder's own manifest does not fit, naming the differences, and
    UnsupportedModel where there is none.
    """
    digest = digest_weights(folder) if folder is not None else None
    if folder is not None and (own := folder / FILE_NAME).exists():
        manifest = load_manifest(own)
        if found := list(manifest.differences(denoiser, names, digest)):
            raise ManifestError(f"{own} does not fit its model: {'; '.join(found)}")
        return manifest
    for path in shipped_manifests():
        manifest = load_manifest(path)
        if not list(manifest.differences(denoiser, names, digest)):
            return manifest
    raise UnsupportedModel(
        f"no manifest fits this {type(plain(denoiser)).__name__}: its text layers have not been measured. "
        f"Put a {FILE_NAME} into the model's folder (`inkguard localize` measures one, docs/how-to/localize.md), or "
        f"have the whole prompt swapped, which changes the whole picture: fallback=True in Python, "
        f"`--method prompt_swap` on the command line, `fallback: true` for a model of a server"
    )
