"""`inkguard localize` on the real sd3-tiny, with very few pairs and steps."""

from __future__ import annotations

import csv
import dataclasses
import json
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from inkguard.draw.load import load_pipeline, model_folder
from inkguard.errors import MeasureError
from inkguard.families.registry import manifest_for
from inkguard.localize.options import Options
from inkguard.localize.plan import LocalizationResult
from inkguard.localize.run import run
from inkguard.manifests.manifest import (
    FILE_NAME,
    digest_config,
    load_manifest,
    shipped_manifests,
)
from tests.disk import full_beyond


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Bit-identical results need the same number of threads in this process and in another."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def options(out: Path) -> Options:
    return Options(
        out=out, pairs=2, steps=4, max_sites=1, candidates=1, batch=2, examples=1, threads=1
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LocalizationResult]:
    """One whole run, and what it found."""
    out = tmp_path_factory.mktemp("run")
    return out, run(options(out))


def lines(out: Path) -> list[bytes]:
    return (out / "results.jsonl").read_bytes().splitlines()


def test_the_manifest_fits_the_model_it_was_measured_on(
    measured: tuple[Path, LocalizationResult], tmp_path: Path
) -> None:
    """Copied into the model's folder it is found, with sites that were measured as evidence."""
    out, result = measured
    folder = tmp_path / "model"
    shutil.copytree(model_folder("sd3-tiny"), folder)
    shutil.copy(out / "manifest.yaml", folder / FILE_NAME)
    pipe, _ = load_pipeline(folder)
    manifest = manifest_for(pipe, folder)
    assert manifest is not None
    assert manifest.sites == result.final.sites
    assert manifest.modules == tuple(f"transformer_blocks.{s}.attn" for s in manifest.sites)
    assert (manifest.start_step, manifest.of_steps) == (result.final.start_step, 4)
    assert manifest.weights_digest is not None
    assert manifest.evidence["table"].keys() == {v.key for v in result.scores}
    wanted = {"date", "seed", "seeds", "steps", "versions", "command", "rule", "prompts"}
    assert wanted <= manifest.evidence.keys()
    assert manifest.evidence["by_length"].keys() == {"equal", "different"}
    written = yaml.safe_load((out / "manifest.yaml").read_text())
    assert written["model"]["config_digest"] == digest_config(pipe.transformer)
    assert written["substitution"]["numbering"] == "order of execution"
    held = sum(
        p.numel() for n in manifest.modules for p in pipe.transformer.get_submodule(n).parameters()
    )
    share = held / sum(p.numel() for p in pipe.transformer.parameters())
    assert written["substitution"]["share_of_parameters"] == pytest.approx(share, abs=1e-6)


def test_the_site_that_draws_letters_is_found(measured: tuple[Path, LocalizationResult]) -> None:
    """The best single site of the few pairs is among the shipped manifest's."""
    _, result = measured
    singles = result.singles()
    assert len(singles) == 8
    shipped = manifest_for(load_pipeline("sd3-tiny")[0], model_folder("sd3-tiny"))
    assert shipped is not None
    assert max(singles, key=lambda n: singles[n]["donor_similarity"]) in shipped.sites


def test_every_variant_is_in_the_table(measured: tuple[Path, LocalizationResult]) -> None:
    """sites.csv has a row a patch, one of them chosen, shares and scores in their range."""
    out, result = measured
    with (out / "sites.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [r["variant"] for r in rows] == [v.key for v in result.scores]
    assert [r["variant"] for r in rows if r["chosen"] == "1"] == [result.final.key]
    for row in rows:
        assert 0 <= float(row["donor_exact_low"]) <= float(row["donor_exact"])
        assert 0 <= float(row["donor_similarity"]) <= 1
    assert {r["variant"] for r in rows} >= {"none", "whole prompt", "0", "7", "0,1,2,3,4,5,6,7"}
    assert float(rows[0]["mse"]) == 0


class _Images(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.others: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [v or "" for k, v in attrs if tag == "img" and k == "src"]
        self.others += [v or "" for k, v in attrs if tag != "img" and k in ("src", "href")]


def test_the_report_needs_no_other_file(measured: tuple[Path, LocalizationResult]) -> None:
    """Every picture is within the page: the charts, and one of each column for the example."""
    out, _ = measured
    page = _Images()
    text = (out / "report.html").read_text(encoding="utf-8")
    page.feed(text)
    assert len(page.sources) >= 11
    assert all(s.startswith("data:image/png;base64,") for s in page.sources)
    assert not page.others
    assert "http" not in text
    with Image.open(out / "report.png") as image:
        assert min(image.size) > 800


def test_example_pictures_are_kept(measured: tuple[Path, LocalizationResult]) -> None:
    """The unpatched picture of every pair, and of other patches the first examples."""
    out, _ = measured
    names = {str(p.relative_to(out / "pictures")) for p in out.glob("pictures/*/*")}
    assert {"unpatched/0000.png", "unpatched/0001.png", "sites-04/0000.png"} <= names
    assert "sites-04/0001.png" not in names


def test_a_killed_run_goes_on_to_the_same_results(
    measured: tuple[Path, LocalizationResult], tmp_path: Path
) -> None:
    """After SIGKILL and a torn line the same command ends with the very bytes of a whole run."""
    out, result = measured
    again = tmp_path / "again"
    script = (
        "import pickle, sys; from inkguard.localize.run import run; "
        f"run(pickle.loads({pickle.dumps(options(again))!r}))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    results, deadline = again / "results.jsonl", time.monotonic() + 120
    while not results.exists() or len(lines(again)) < 6:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(lines(again)) < len(lines(out))
    with results.open("ab") as file:
        file.write(b'{"variant": "4", "pai')
    resumed = run(options(again))
    assert lines(again) == lines(out)
    assert resumed.final == result.final
    assert (again / "sites.csv").read_bytes() == (out / "sites.csv").read_bytes()


def test_a_disk_that_fills_up_while_drawing_keeps_what_was_measured(
    measured: tuple[Path, LocalizationResult], tmp_path: Path
) -> None:
    """The error says so and what to do; with room again the same command ends as an undisturbed run."""
    out = tmp_path / "out"
    out.mkdir()
    begun = b"\n".join(lines(measured[0])[:3]) + b"\n"
    (out / "results.jsonl").write_bytes(begun)
    shutil.copytree(measured[0] / "pictures" / "unpatched", out / "pictures" / "unpatched")
    with (
        full_beyond(len(begun) + 2_000),
        pytest.raises(MeasureError, match=r"kept in .*results\.jsonl: the same command goes on"),
    ):
        run(options(out))
    assert (out / "results.jsonl").read_bytes() == begun
    run(options(out))
    assert lines(out) == lines(measured[0])


def test_a_disk_that_is_full_at_the_end_leaves_an_earlier_manifest_whole(
    measured: tuple[Path, LocalizationResult], tmp_path: Path
) -> None:
    """It is renamed when whole, so that no model's folder gets half of one."""
    out = tmp_path / "copy"
    shutil.copytree(measured[0], out)
    before = (out / "manifest.yaml").read_bytes()
    with full_beyond(1_000), pytest.raises(MeasureError, match="the same command goes on"):
        run(options(out))
    assert (out / "manifest.yaml").read_bytes() == before


def test_a_finished_run_draws_nothing_again(
    measured: tuple[Path, LocalizationResult], tmp_path: Path
) -> None:
    """Only the choice changes with --sites; no line is added for what was measured before."""
    out = tmp_path / "copy"
    shutil.copytree(measured[0], out)
    before = lines(out)
    singles = dataclasses.replace(options(out), sites="4", start_steps="0")
    result = run(singles)
    assert result.final.sites == (4,)
    assert "by hand" in load_manifest(out / "manifest.yaml").evidence["rule"]
    added = [json.loads(line)["variant"] for line in lines(out)[len(before) :]]
    assert lines(out)[: len(before)] == before
    assert set(added) <= {"4 and pooled text"}


def test_install_puts_the_manifest_where_the_guard_finds_it(
    measured: tuple[Path, LocalizationResult], tmp_path: Path
) -> None:
    """Into the model's folder; the one that was there is kept beside it."""
    out, folder = tmp_path / "copy", tmp_path / "model"
    shutil.copytree(measured[0], out)
    shutil.copytree(model_folder("sd3-tiny"), folder)
    (shipped,) = (p for p in shipped_manifests() if p.stem == "sd3-tiny")
    shutil.copy(shipped, folder / FILE_NAME)
    wanted = dataclasses.replace(options(out), model=str(folder), install=True, within=1.0)
    result = run(wanted)
    assert result.installed == folder / FILE_NAME
    pipe, _ = load_pipeline(folder)
    manifest = manifest_for(pipe, folder)
    assert manifest is not None
    assert manifest.sites == result.final.sites
    assert (folder / f"{FILE_NAME}.old").read_bytes() == shipped.read_bytes()
    assert "--install" not in wanted.command


def test_a_manifest_that_missed_its_goal_is_not_installed(
    measured: tuple[Path, LocalizationResult], tmp_path: Path
) -> None:
    """A site that does nothing is taken by hand: a guard would refuse its manifest."""
    out, folder = tmp_path / "copy", tmp_path / "model"
    shutil.copytree(measured[0], out)
    shutil.copytree(model_folder("sd3-tiny"), folder)
    result = run(
        dataclasses.replace(
            options(out), model=str(folder), install=True, sites="0", start_steps="0"
        )
    )
    assert result.installed is None
    assert not (folder / FILE_NAME).exists()


def test_another_settings_run_is_refused(measured: tuple[Path, LocalizationResult]) -> None:
    """The folder's results are of 4 steps, so 5 steps may not go on there."""
    out, _ = measured
    with pytest.raises(MeasureError, match="steps is 4 there and 5 now"):
        run(dataclasses.replace(options(out), steps=5))


def test_prompts_of_a_file_are_measured_by_their_ocr_boxes(tmp_path: Path) -> None:
    """Pairs without a scene get a region all the same, and what a prompt holds is escaped."""
    prompt = 'a <b>red</b> sign that says "WELCOME" on a blue background with a yellow star'
    file = tmp_path / "prompts.jsonl"
    file.write_text(json.dumps({"prompt": prompt, "donor": "BARBER"}))
    out = tmp_path / "out"
    of_file = {"pairs": None, "prompts": file, "max_sites": 2, "start_steps": "0"}
    result = run(dataclasses.replace(options(out), **of_file))
    assert result.scores[result.final].pictures == 1
    assert {1, 2, 8} == set(result.best_by_size())
    assert result.scores[result.final]["ssim_outside"] > 0
    rows = [json.loads(line) for line in lines(out)[1:]]
    assert all(r["mse_outside"] is not None for r in rows)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<b>red" not in page
    assert "&lt;b&gt;red" in page
