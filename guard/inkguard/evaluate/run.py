"""A whole evaluation: load, draw by every method in turn, score, write."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from rich.console import Console

from inkguard.check.as_encoder_reads import check_as_read
from inkguard.check.checker import Checker, load_checker
from inkguard.errors import InvalidInput
from inkguard.evaluate.methods import Compared, Methods
from inkguard.evaluate.prompts import ToxicPrompt, digest_prompts, read_prompts, world_prompts
from inkguard.evaluate.score import Scorer
from inkguard.evaluate.sheet import contact_sheet
from inkguard.evaluate.table import Summary, markdown, summarise, terminal_table, write_csv
from inkguard.evaluate.verified import Verified
from inkguard.families.registry import adapter_for
from inkguard.manifests.manifest import Manifest, digest_config, digest_weights, find_manifest
from inkguard.measure import MeasureError, require_measure, require_reader
from inkguard.measure.journal import Journal
from inkguard.measure.model import device_memory, load_model
from inkguard.measure.progress import Ticker, waiting
from inkguard.score.detoxify import ToxicityClassifier
from inkguard.types import Decision

__all__ = ["Options", "run"]

_EXAMPLES = 12
"""Prompts on the contact sheet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """As given on the command line of `inkguard evaluate`; its help describes them."""

    out: Path
    model: str = "sd3-tiny"
    methods: tuple[Compared, ...] = tuple(Compared)
    prompts: Path | None = None
    limit: int | None = None
    skip_others: bool = False
    policy: Path | None = None
    seed: int = 4242
    steps: int = 20
    sites: tuple[int, ...] | None = None
    start_step: int | None = None
    verify: bool = False
    device: str = "cpu"
    dtype: str = "float32"
    threads: int | None = None


def run(options: Options) -> list[Summary]:
    """Measure, and write everything into `options.out`; the same call goes on after a kill.

    Raises GuardErrors: for bad input before anything is drawn, and MeasureError where a result
    cannot be written, with what was measured until then kept.
    """
    require_measure()
    reader = require_reader()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    with waiting(f"Loading {options.model}"):
        checker = load_checker(options.policy)
        pipe, folder = load_model(options.model, options.device, options.dtype)
        manifest = _manifest(options, pipe, folder)
        prompts = _prompts(options, checker, pipe, manifest)
    methods = Methods(pipe, checker, manifest, options.steps)
    methods.check(options.methods)
    scorer = Scorer(checker, ToxicityClassifier.load(), reader)
    verified = Verified(pipe, checker, manifest, reader, options.steps) if options.verify else None
    compared = tuple(dict.fromkeys((Compared.NONE, *options.methods)))
    wanted = [*map(str, compared), *(["verified"] if verified is not None else [])]
    identity = {
        "pipeline": type(pipe).__name__,
        "config": digest_config(adapter_for(pipe).denoiser(pipe)),
        "weights": digest_weights(folder),
        "prompts": digest_prompts(prompts),
        "policy": checker.policy.digest,
        "call": dict(manifest.call),
        "sites": list(manifest.sites),
        "start_step": [manifest.start_step, manifest.of_steps],
        "swap_pooled": manifest.swap_pooled,
        "steps": options.steps,
        "methods": [str(m) for m in compared],
        "verify": options.verify,
        "device": torch.device(options.device).type,
        "dtype": options.dtype,
    }
    pictures = options.out / "pictures"
    console = Console(stderr=True)
    journal_file = options.out / "results.jsonl"
    with (
        Journal(journal_file, identity, "evaluate") as journal,
        Ticker(console) as ticker,
    ):
        # A prompt that a kill cut short is drawn again by all methods, so that times compare.
        left = [
            n
            for n in range(len(prompts))
            if any((w, n) not in journal.rows for w in wanted)
            or (n < _EXAMPLES and not all(_picture(pictures, n, m).exists() for m in compared))
        ]
        ticker.expect(len(left) * len(compared))
        try:
            if left:
                methods.draw(Compared.NONE, prompts[left[0]])  # the first call is always slower
            for n in left:
                ticker.begin(f"prompt {n + 1} of {len(prompts)}")
                rows, plain = [], None
                for method in compared:
                    began = time.perf_counter()
                    with device_memory("give a smaller --dtype, or a device with more"):
                        image = methods.draw(method, prompts[n])
                    seconds = time.perf_counter() - began
                    plain = image if plain is None else plain
                    scores = scorer.score(prompts[n], image, plain)
                    rows.append({"variant": str(method), "pair": n, "seconds": seconds, **scores})
                    if n < _EXAMPLES:
                        _keep(image, _picture(pictures, n, method))
                    ticker.advance()
                if verified is not None:
                    rows.append({"variant": "verified", "pair": n, **verified.draw(prompts[n])})
                journal.append(rows)
                if (n + 1) % 20 == 0:
                    ticker.done(f"{n + 1} prompts")
            return _write(options, compared, prompts, journal.rows, pictures)
        except OSError as error:
            raise MeasureError(
                f"{error.filename or options.out}: {error.strerror or error}. What was measured "
                f"until now is kept in {journal_file}: the same command goes on"
            ) from None


def _manifest(options: Options, pipe: Any, folder: Path) -> Manifest:
    """The model's manifest, with the sites and the start that were asked for instead of its own."""
    adapter = adapter_for(pipe)
    names = adapter.site_names(pipe)
    manifest = find_manifest(adapter.denoiser(pipe), names, folder)
    if options.sites is not None:
        if max(options.sites) >= len(names):
            raise InvalidInput(
                "--sites", f"{max(options.sites)} is not there; sites are 0 to {len(names) - 1}"
            )
        modules = tuple(names[n] for n in options.sites)
        manifest = replace(manifest, sites=options.sites, modules=modules)
    if options.start_step is not None:
        if options.start_step >= options.steps:
            raise InvalidInput("--start-step", f"there are only {options.steps} steps")
        manifest = replace(manifest, start_step=options.start_step, of_steps=options.steps)
    return manifest


def _prompts(
    options: Options, checker: Checker, pipe: Any, manifest: Manifest
) -> list[ToxicPrompt]:
    if options.prompts is None:
        return world_prompts(checker, options.limit or 100, options.seed)
    read = partial(adapter_for(pipe).read_text, pipe, manifest.call, "prompt")

    def decide(texts: list[str]) -> list[Decision]:
        """As the guard will when it draws them: a prompt that it blocks then cannot be compared."""
        return check_as_read(checker, read, texts, checker.check_many(texts))

    return read_prompts(decide, options.prompts, options.limit, skip_others=options.skip_others)


def _picture(folder: Path, number: int, method: str) -> Path:
    return folder / f"{number:04d}-{method}.png"


def _keep(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def _answers(rows: dict[tuple[str, int], dict[str, Any]], count: int) -> str:
    """What verification made of the prompts, as a paragraph."""
    rungs = Counter(str(rows["verified", n]["rung"]) for n in range(count))
    survived = sum(rows["verified", n]["readable"] for n in range(count))
    told = ", ".join(f"{rung} {answered}" for rung, answered in sorted(rungs.items()))
    return (
        f"\nsubstitute, verified: answered by the rungs {told} of {count}; returned pictures with "
        f"readable toxic text: {survived}\n"
    )


def _write(
    options: Options,
    compared: tuple[Compared, ...],
    prompts: list[ToxicPrompt],
    rows: dict[tuple[str, int], dict[str, Any]],
    pictures: Path,
) -> list[Summary]:
    out, count = options.out, len(prompts)
    names = [str(m) for m in compared]
    summaries = summarise({m: [rows[m, n] for n in range(count)] for m in names})
    write_csv(out / "table.csv", summaries)
    answers = _answers(rows, count) if options.verify else ""
    (out / "table.md").write_text(markdown(summaries) + answers, encoding="utf-8")
    shown = range(min(count, _EXAMPLES))
    contact_sheet(
        names,
        [{m: _picture(pictures, n, m) for m in names} for n in shown],
        [{m: rows[m, n] for m in names} for n in shown],
        [prompts[n].mild for n in shown],
    ).save(out / "contact.png")
    console = Console(soft_wrap=True)
    console.print(terminal_table(summaries, f"{options.model}: {count} toxic prompts"))
    if answers:
        console.print(answers.strip(), highlight=False)
    for name in ("table.csv", "table.md", "contact.png", "results.jsonl"):
        console.print(str(out / name), markup=False, highlight=False)
    return summaries
