"""A whole run: load, measure, choose, write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from inkguard.draw.load import embedded_models
from inkguard.errors import InvalidInput, UnsupportedModel
from inkguard.families.registry import adapter_for
from inkguard.localize.draw import Drawer
from inkguard.localize.evidence import manifest_data, versions, write_manifest
from inkguard.localize.gallery import Gallery
from inkguard.localize.options import DEFAULT_PAIRS, Options
from inkguard.localize.plan import Findings, Search, localize
from inkguard.localize.plots import draw_report
from inkguard.localize.report import write_report
from inkguard.localize.sweep import Sweep
from inkguard.localize.table import terminal_table, write_csv
from inkguard.manifests.manifest import (
    FILE_NAME,
    digest_config,
    digest_weights,
    find_manifest,
    load_manifest,
)
from inkguard.measure import (
    MeasureError,
    Pair,
    read_pairs,
    require_measure,
    require_reader,
    world_pairs,
)
from inkguard.measure.journal import Journal
from inkguard.measure.model import load_model
from inkguard.measure.progress import Ticker, waiting
from inkguard.measure.prompts import digest_pairs

__all__ = ["run"]


def run(options: Options) -> Findings:
    """Measure a model and write everything into `options.out`.

    Raises GuardErrors: for bad input before anything is drawn, and MeasureError where a result
    cannot be written, with what was measured until then kept.
    """
    require_measure()
    reader = require_reader()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    with waiting(f"Loading {options.model}"):
        pipe, folder = load_model(options.model, options.device, options.dtype)
        adapter_for(pipe)  # raises for a family that is not known
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
        "dtype": options.dtype,
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
    console = Console(stderr=True)
    with Journal(options.out / "results.jsonl", identity) as journal, Ticker(console) as ticker:
        sweep = Sweep(
            drawer,
            drawer_pairs,
            reader=reader,
            journal=journal,
            gallery=Gallery(options.out / "pictures", options.examples),
            ticker=ticker,
            batch=options.batch,
        )
        total = sum(p.numel() for p in drawer.denoiser.parameters())
        try:
            findings = localize(sweep, search, ticker, total)
            _write(options, findings, sweep, pipe, weights, call, settings)
        except OSError as error:
            raise MeasureError(
                f"{error.filename or options.out}: {error.strerror or error}. What was measured until now is "
                f"kept in {options.out / 'results.jsonl'}: the same command goes on"
            ) from None
    _tell(options, findings)
    return findings


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
    findings: Findings,
    sweep: Sweep,
    pipe: Any,
    weights: str | None,
    call: dict[str, Any],
    settings: dict[str, Any],
) -> None:
    name, out = Path(options.model).name, options.out
    data = manifest_data(
        findings,
        sweep,
        pipe,
        name=name,
        weights_digest=weights,
        call=call,
        command=options.command,
        settings=settings,
    )
    write_manifest(out / "manifest.yaml", data)
    write_csv(out / "sites.csv", findings)
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
    draw_report(out / "report.png", findings, sweep, title)
    write_report(out / "report.html", findings, sweep, title=title, facts=facts)


def _tell(options: Options, findings: Findings) -> None:
    console = Console(soft_wrap=True)
    console.print(terminal_table(findings))
    if not findings.choice.reached:
        console.print(
            f"[yellow]No set of up to {findings.search.max_sites} sites[/yellow] reads the donor's "
            f"text within {findings.search.within:g} of swapping the whole prompt"
            if findings.search.override is None
            else "[yellow]The sites given[/yellow] read the donor's text worse than the bound asks"
        )
    for name in ("report.html", "report.png", "sites.csv", "manifest.yaml"):
        console.print(str(options.out / name), markup=False, highlight=False)
    console.print(
        f"To guard the model with these sites, copy manifest.yaml into its folder as {FILE_NAME}",
        highlight=False,
    )
