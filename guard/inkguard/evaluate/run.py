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

from inkguard.check.as_encoder_reads import check_as_read
from inkguard.check.checker import Checker, load_checker
from inkguard.errors import InvalidInput, MeasureError
from inkguard.evaluate.methods import Methods
from inkguard.evaluate.options import Compared, Options
from inkguard.evaluate.prompts import ToxicPrompt, digest_prompts, read_prompts, world_prompts
from inkguard.evaluate.score import PictureScorer
from inkguard.evaluate.sheet import contact_sheet
from inkguard.evaluate.table import Summary, markdown, summarise, write_csv
from inkguard.evaluate.verified import Verified
from inkguard.families.registry import adapter_for
from inkguard.manifests.manifest import Manifest, digest_config, digest_weights, find_manifest
from inkguard.measure.journal import Journal
from inkguard.measure.progress import ProgressReporter, Silent
from inkguard.measure.setup import (
    device_memory,
    load_model,
    require_measure,
    require_reader,
)
from inkguard.score.detoxify import ToxicityClassifier
from inkguard.types import Decision

__all__ = ["Evaluation", "run"]

_EXAMPLES = 12
"""Prompts on the contact sheet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What was measured: a summary for each method, and what verification made of the prompts.

    `answers` is a paragraph, empty without `verify`.
    """

    prompts: int
    summaries: list[Summary]
    answers: str


def run(options: Options, progress: ProgressReporter | None = None) -> Evaluation:
    """Measure, and write everything into `options.out`; the same call goes on after a kill.

    Raises GuardErrors: for bad input before anything is drawn, and MeasureError where a result
    cannot be written, with what was measured until then kept.
    """
    progress = progress or Silent()
    require_measure()
    reader = require_reader()
    progress.begin(f"loading {options.model}")
    checker = load_checker(options.policy)
    pipe, folder = load_model(options)
    manifest = _manifest(options, pipe, folder)
    prompts = _prompts(options, checker, pipe, manifest)
    methods, compared = Methods(pipe, checker, manifest, options.steps), options.compared
    methods.check(compared)
    scorer = PictureScorer(checker, ToxicityClassifier.load(), reader)
    verified = Verified(pipe, checker, manifest, reader, options.steps) if options.verify else None
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
        "dtype": str(options.dtype),
    }
    pictures = options.out / "pictures"
    journal_file = options.out / "results.jsonl"
    with Journal(journal_file, identity, "evaluate") as journal:
        # A prompt that a kill cut short is drawn again by all methods, so that times compare.
        left = [
            n
            for n in range(len(prompts))
            if any((w, n) not in journal.rows for w in wanted)
            or (n < _EXAMPLES and not all(_picture(pictures, n, m).exists() for m in compared))
        ]
        progress.expect(len(left) * len(wanted))
        try:
            if left:
                methods.draw(Compared.NONE, prompts[left[0]])  # the first call is always slower
            for n in left:
                started = time.monotonic()
                progress.begin(f"prompt {n + 1} of {len(prompts)}")
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
                    progress.advance()
                if verified is not None:
                    rows.append({"variant": "verified", "pair": n, **verified.draw(prompts[n])})
                    progress.advance()
                journal.append(rows)
                if n == left[0]:
                    progress.speed((time.monotonic() - started) / len(wanted))
                if (n + 1) % 20 == 0:
                    progress.done(f"{n + 1} prompts")
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
    if (sites := options.chosen) is not None:
        if max(sites) >= len(names):
            raise InvalidInput(
                "--sites", f"{max(sites)} is not there; sites are 0 to {len(names) - 1}"
            )
        modules = tuple(names[n] for n in sites)
        manifest = replace(manifest, sites=sites, modules=modules)
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
) -> Evaluation:
    out, count = options.out, len(prompts)
    names = [str(m) for m in compared]
    summaries = summarise({m: [rows[m, n] for n in range(count)] for m in names})
    write_csv(out / "table.csv", summaries)
    answers = _answers(rows, count) if options.verify else ""
    (out / "table.md").write_text(markdown(summaries) + answers, encoding="utf-8")
    shown = range(min(count, _EXAMPLES))
    contact_sheet(
        compared,
        [prompts[n] for n in shown],
        [{m: _picture(pictures, n, m) for m in compared} for n in shown],
        [{m: rows[m, n] for m in compared} for n in shown],
    ).save(out / "contact.png")
    return Evaluation(prompts=count, summaries=summaries, answers=answers.strip())
