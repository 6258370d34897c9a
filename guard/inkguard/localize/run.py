"""A whole run: load, measure, choose, write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from inkguard.draw.load import embedded_models
from inkguard.errors import InvalidInput, ManifestError, MeasureError, UnsupportedModel
from inkguard.families.registry import adapter_for
from inkguard.localize.draw import Drawer
from inkguard.localize.evidence import manifest_data, versions, write_manifest
from inkguard.localize.gallery import Gallery
from inkguard.localize.options import DEFAULT_PAIRS, Options
from inkguard.localize.plan import LocalizationResult, Search, localize
from inkguard.localize.plots import draw_report
from inkguard.localize.report import write_report
from inkguard.localize.sweep import Sweep
from inkguard.localize.table import write_csv
from inkguard.manifests.manifest import (
    FILE_NAME,
    digest_config,
    digest_weights,
    find_manifest,
    load_manifest,
)
from inkguard.measure.journal import Journal
from inkguard.measure.progress import ProgressReporter, Silent
from inkguard.measure.prompts import Pair, digest_pairs, read_pairs, world_pairs
from inkguard.measure.setup import load_model, require_measure, require_reader

__all__ = ["run"]


def run(options: Options, progress: ProgressReporter | None = None) -> LocalizationResult:
    """Measure a model and write everything into `options.out` (and its folder, with `install`).

    Raises GuardErrors: for bad input before anything is drawn, and MeasureError where a result
    cannot be written, with what was measured until then kept.
    """
    progress = progress or Silent()
    require_measure()
    reader = require_reader()
    progress.begin(f"loading {options.model}")
    pipe, folder = load_model(options)
    adapter_for(pipe)  # raises for a family that is not known
    if options.install:
        _refuse_install(folder)
    drawer_pairs = _pairs(options, weights := digest_weights(folder))
    call = _call(options, pipe, folder)
    drawer = Drawer(pipe, call, options.steps)
    search = _search(options, len(drawer.sites))
    worldly = drawer_pairs[0].scene is not None
    settings = {
        "seed": options.seed,
        "pairs": len(drawer_pairs) // options.seeds,
        "seeds": options.seeds,
        "steps": options.steps,
        "dtype": str(options.dtype),
        "device": torch.device(options.device).type,
        "region": "sign's box" if worldly else "OCR boxes, widened by a 64th of the shorter side",
        "prompts": digest_pairs(drawer_pairs),
    }
    identity = {
        "pipeline": type(pipe).__name__,
        "denoiser": type(drawer.denoiser).__name__,
        "config": digest_config(drawer.denoiser),
        "weights": weights,
        "call": call,
        **settings,
    }
    with Journal(options.out / "results.jsonl", identity) as journal:
        sweep = Sweep(
            drawer,
            drawer_pairs,
            reader=reader,
            journal=journal,
            gallery=Gallery(options.out / "pictures", options.examples),
            progress=progress,
            batch=options.batch,
        )
        total = sum(p.numel() for p in drawer.denoiser.parameters())
        try:
            result = localize(sweep, search, progress, total)
            _write(options, result, sweep, pipe, weights, call, settings)
            if options.install and result.choice.reached:
                result.installed = _install(options.out / "manifest.yaml", folder, pipe)
        except OSError as error:
            raise MeasureError(
                f"{error.filename or options.out}: {error.strerror or error}. What was measured until now is "
                f"kept in {options.out / 'results.jsonl'}: the same command goes on"
            ) from None
    return result


def _refuse_install(folder: Path) -> None:
    """Raise InvalidInput, before hours of drawing, for a folder that takes no manifest."""
    if folder in embedded_models().values():
        raise InvalidInput("--install", "the package's own models have their manifests already")
    if not os.access(folder, os.W_OK):
        raise InvalidInput("--install", f"{folder} cannot be written to")


def _install(manifest: Path, folder: Path, pipe: Any) -> Path:
    """Put a manifest where `find_manifest` looks first; another one that was there becomes .old.

    Raises ManifestError where it does not fit the model, and OSError.
    """
    adapter = adapter_for(pipe)
    names, weights = adapter.site_names(pipe), digest_weights(folder)
    found = list(load_manifest(manifest).differences(adapter.denoiser(pipe), names, weights))
    if found:
        raise ManifestError(f"{manifest} does not fit the model in {folder}: {'; '.join(found)}")
    place, content = folder / FILE_NAME, manifest.read_bytes()
    if place.exists() and place.read_bytes() != content:
        place.replace(place.with_name(f"{FILE_NAME}.old"))
    part = place.with_name(f"{FILE_NAME}.part")
    part.write_bytes(content)
    part.replace(place)
    return place


def _pairs(options: Options, weights: str | None) -> list[Pair]:
    if options.prompts is not None:
        return read_pairs(options.prompts, options.pairs, options.seeds, options.seed)
    # By digest, so that a copy of an embedded model is known as one.
    worldly = weights in {digest_weights(folder) for folder in embedded_models().values()}
    return world_pairs(options.pairs or DEFAULT_PAIRS, options.seeds, options.seed, scenes=worldly)


def _call(options: Options, pipe: Any, folder: Path) -> dict[str, Any]:
    """Arguments of the pipeline's call: flags, over the manifest's where there is one."""
    adapter, own = adapter_for(pipe), folder / FILE_NAME
    try:
        # The folder's own even where its sites no longer fit: the call is the model's all the same.
        manifest = (
            load_manifest(own)
            if own.exists()
            else find_manifest(adapter.denoiser(pipe), adapter.site_names(pipe), folder)
        )
        call = dict(manifest.call)
    except UnsupportedModel:
        call = {}
    given = {
        "height": options.height,
        "width": options.width,
        "guidance_scale": options.guidance,
        "max_sequence_length": options.max_sequence_length,
    }
    call |= {k: v for k, v in given.items() if v is not None}
    adapter.check_size(pipe, call.get("width"), call.get("height"))
    return call


def _search(options: Options, sites: int) -> Search:
    if options.chosen and max(options.chosen) >= sites:
        raise InvalidInput(
            "--sites", f"{max(options.chosen)} is not there; sites are 0 to {sites - 1}"
        )
    return Search(
        within=options.within,
        max_sites=options.max_sites,
        candidates=options.candidates,
        start_steps=options.starts,
        override=options.chosen,
    )


def _write(
    options: Options,
    result: LocalizationResult,
    sweep: Sweep,
    pipe: Any,
    weights: str | None,
    call: dict[str, Any],
    settings: dict[str, Any],
) -> None:
    name, out = Path(options.model).name, options.out
    data = manifest_data(
        result,
        sweep,
        pipe,
        name=name,
        weights_digest=weights,
        call=call,
        command=options.command,
        settings=settings,
    )
    write_manifest(out / "manifest.yaml", data)
    write_csv(out / "sites.csv", result)
    title = f"Where {name} draws letters"
    facts = {
        "model": f"{type(pipe).__name__}, {type(sweep.drawer.denoiser).__name__}",
        "weights": weights or "not digested",
        "pictures": f"{len(sweep.pairs)} for each row of the table, {options.steps} denoising steps",
        "text region": str(settings["region"]),
        "command": options.command,
        "date": data["evidence"]["date"],
        "versions": ", ".join(f"{k} {v}" for k, v in versions().items()),
    }
    draw_report(out / "report.png", result, sweep, title)
    write_report(out / "report.html", result, sweep, title=title, facts=facts)
