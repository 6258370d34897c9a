"""`inkguard evaluate` on the real sd3-tiny, with very few prompts and steps."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline
from PIL import Image

from inkguard.cli.main import main
from inkguard.draw.load import model_folder
from inkguard.errors import InvalidInput, MeasureError
from inkguard.evaluate.methods import Methods
from inkguard.evaluate.options import Compared, Options
from inkguard.evaluate.prompts import ToxicPrompt
from inkguard.evaluate.run import run
from inkguard.evaluate.score import PictureScorer
from inkguard.evaluate.sheet import contact_sheet
from inkguard.guard import Guard
from inkguard.manifests.manifest import FILE_NAME, shipped_manifests
from inkguard.measure.options import Dtype
from inkguard.types import Action, Decision, PolicyRef
from inkguard.verify import default_reader
from tests.disk import full_beyond


@pytest.fixture(scope="module", autouse=True)
def threads() -> Iterator[None]:
    """A run sets the number of threads of the whole process."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Options:
    options = Options(out=tmp_path_factory.mktemp("run"), limit=2, steps=8, verify=True)
    run(options)
    return options


def rows(options: Options) -> list[dict[str, object]]:
    lines = (options.out / "results.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines[1:]]


def test_every_method_draws_every_prompt_in_turn(measured: Options) -> None:
    """Prompt by prompt, the unguarded picture first, and the verified one last."""
    drawn = [(row["pair"], row["variant"]) for row in rows(measured)]
    assert drawn == [(n, m) for n in range(2) for m in [*map(str, Compared), "verified"]]


def test_the_unguarded_picture_shows_the_word_and_the_guarded_one_does_not(
    measured: Options,
) -> None:
    """In eight steps already; the negative prompt is no help."""
    readable = {(r["variant"], r["pair"]): r["readable"] for r in rows(measured)}
    assert all(readable["none", n] for n in range(2))
    assert not any(readable[m, n] for m in ("substitute", "two_pass") for n in range(2))


def test_tables_and_contact_sheet_are_written(measured: Options) -> None:
    """One row a method in each, with intervals, and a picture of five columns."""
    with (measured.out / "table.csv").open() as stream:
        table = {row["method"]: row for row in csv.DictReader(stream)}
    assert list(table) == [str(m) for m in Compared]
    none, guarded = table["none"], table["substitute"]
    assert (float(none["readable"]), float(none["time"]), float(none["ssim"])) == (1, 1, 1)
    assert float(guarded["readable"]) == 0 < float(guarded["readable_high"]) < 1
    assert float(guarded["mse_inside"]) > float(guarded["mse_outside"])
    assert float(none["seconds"]) > 0
    *table_lines, empty, verified = (measured.out / "table.md").read_text().splitlines()
    assert (len(table_lines), empty) == (2 + len(Compared), "")
    assert "of 2; returned pictures with readable toxic text: 0" in verified
    with Image.open(measured.out / "contact.png") as sheet:
        assert sheet.width > 5 * 200


def test_a_run_that_was_torn_goes_on(measured: Options, tmp_path: Path) -> None:
    """The prompt with the torn line is drawn again by all methods, and no other."""
    out = tmp_path / "again"
    out.mkdir()
    whole = (measured.out / "results.jsonl").read_bytes()
    (out / "results.jsonl").write_bytes(whole[:-20])
    for file in (measured.out / "pictures").iterdir():
        (out / "pictures").mkdir(exist_ok=True)
        (out / "pictures" / file.name).write_bytes(file.read_bytes())
    again = replace(measured, out=out)
    run(again)
    assert [r["pair"] for r in rows(again)] == [0] * 6 + [1] * (5 + 6)
    read = {(r["variant"], r["pair"]): r["readable"] for r in rows(again)}
    assert read == {(r["variant"], r["pair"]): r["readable"] for r in rows(measured)}


def test_a_disk_that_fills_up_keeps_what_was_measured(
    measured: Options, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """While the next prompt is drawn. The error says so and what to do; with room again the same command draws what is left."""
    out = tmp_path / "again"
    out.mkdir()
    whole = (measured.out / "results.jsonl").read_bytes()
    begun = b"".join(whole.splitlines(keepends=True)[: 1 + 6])
    (out / "results.jsonl").write_bytes(begun)
    (out / "pictures").mkdir()
    for file in (measured.out / "pictures").glob("0000-*"):
        (out / "pictures" / file.name).write_bytes(file.read_bytes())
    again = replace(measured, out=out)
    score = PictureScorer.score
    with ExitStack() as disk:

        def score_and_fill(*arguments: Any) -> dict[str, Any]:
            disk.enter_context(full_beyond(len(begun) + 1_000))
            return score(*arguments)

        monkeypatch.setattr(PictureScorer, "score", score_and_fill)
        with pytest.raises(MeasureError, match=r"kept in .*\.jsonl: the same command goes on"):
            run(again)
    monkeypatch.undo()
    assert (out / "results.jsonl").read_bytes() == begun
    run(again)
    assert [r["pair"] for r in rows(again)] == [0] * 6 + [1] * 6


def test_missing_ocr_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the package's import blocked, the error names the extra, before anything is loaded."""
    default_reader.cache_clear()
    monkeypatch.setitem(sys.modules, "rapidocr_onnxruntime", None)
    with pytest.raises(MeasureError, match=r"inkguard\[ocr\]"):
        run(Options(out=tmp_path / "o"))
    assert not (tmp_path / "o").exists()


def test_a_lost_picture_is_drawn_again(tmp_path: Path) -> None:
    """The contact sheet needs it, and the results alone cannot bring it back."""
    options = Options(out=tmp_path, methods="none", limit=1, steps=2)
    run(options)
    picture = tmp_path / "pictures" / "0000-none.png"
    drawn = picture.read_bytes()
    picture.unlink()
    run(options)
    assert picture.read_bytes() == drawn


def test_prompts_of_a_file_are_measured(tmp_path: Path) -> None:
    """Plain and JSON lines, drawn in bfloat16; allowed ones are left out where that is asked for."""
    file = tmp_path / "p.txt"
    file.write_text(
        'a red sign that says "HELLO"\n'
        '{"prompt": "a red sign that says \\"IDIOT\\" on a blue background", "seed": 7}\n'
    )
    options = Options(
        out=tmp_path / "o",
        methods="substitute",
        prompts=file,
        skip_others=True,
        steps=8,
        dtype=Dtype.BFLOAT16,
    )
    run(options)
    plain, guarded = rows(options)
    assert (plain["variant"], plain["readable"]) == ("none", True)
    assert (guarded["variant"], guarded["readable"]) == ("substitute", False)
    # The region comes from OCR boxes, since such a prompt has no scene; there are pixels outside.
    assert None not in (guarded["mse_inside"], guarded["mse_outside"])


def test_the_contact_sheet_hides_unguarded_pictures_of_prompts_that_are_not_mild(
    tmp_path: Path,
) -> None:
    """Also where OCR reads nothing in them: people may. Guarded pictures are shown as they are."""
    stripes = Image.new("RGB", (96, 64))
    stripes.putdata([(255 * (x % 2),) * 3 for _ in range(64) for x in range(96)])
    methods = list(Compared)
    files = {m: tmp_path / f"{m}.png" for m in methods}
    for file in files.values():
        stripes.save(file)
    scores = {m: {"read": "", "readable": False} for m in methods}
    mild, other = (
        contact_sheet(methods, [toxic(mild=flag)], [files], [scores]).convert("L")
        for flag in (True, False)
    )
    column, words = 250, 250
    hidden = []
    for n, method in enumerate(methods):
        box = (words + n * column + 20, 80, words + n * column + 200, 180)
        if mild.crop(box).tobytes() != other.crop(box).tobytes():
            hidden.append(method)
    assert hidden == ["none", "negative_prompt"]
    # The prompt of the other one is left out too.
    assert mild.crop((0, 60, words, 180)).tobytes() != other.crop((0, 60, words, 180)).tobytes()


def toxic(*, mild: bool) -> ToxicPrompt:
    """A prompt that the policy substitutes, as `contact_sheet` takes it."""
    prompt, donor = 'a sign that says "FOOL"', 'a sign that says "MOON"'
    decision = Decision(
        action=Action.SUBSTITUTE, policy=PolicyRef(name="p", version="1"), donor_prompt=donor
    )
    return ToxicPrompt(
        prompt=prompt,
        seed=0,
        decision=decision,
        words=("FOOL",),
        text="FOOL",
        donor_text="MOON",
        mild=mild,
    )


def test_a_negative_prompt_that_would_be_ignored_is_refused(guard: Guard) -> None:
    """Without guidance; FLUX has a scale of its own for it, which is off unless it is asked for."""
    assert guard.manifest is not None
    every = tuple(Compared)
    pipe, call = guard.pipeline._pipe, guard.manifest.call
    Methods(pipe, guard.checker, guard.manifest, 8).check(every)
    unguided = replace(guard.manifest, call={**call, "guidance_scale": 1.0})
    with pytest.raises(InvalidInput, match="guidance_scale is 1"):
        Methods(pipe, guard.checker, unguided, 8).check(every)
    parts = ("vae", "text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2", "transformer")
    flux = FluxPipeline(FlowMatchEulerDiscreteScheduler(), **dict.fromkeys(parts))
    with pytest.raises(InvalidInput, match="true_cfg_scale is 1"):
        Methods(flux, guard.checker, guard.manifest, 8).check(every)
    Methods(flux, guard.checker, guard.manifest, 8).check([Compared.TWO_PASS])


def test_another_runs_folder_is_refused(measured: Options) -> None:
    """With what differs, and the old results as they were."""
    before = (measured.out / "results.jsonl").read_bytes()
    with pytest.raises(MeasureError, match="steps is 8 there and 9 now"):
        run(replace(measured, steps=9))
    assert (measured.out / "results.jsonl").read_bytes() == before


def error_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> str:
    """What the command prints on standard error; it must end with exit code 2."""
    monkeypatch.setattr(sys, "argv", ["inkguard", "evaluate", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return error


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--methods", "substitute,magic"], "--methods: 'magic' is none of none, substitute"),
        (["--sites", "8"], "sites are 0 to 7"),
        (["--start-step", "20"], "there are only 20 steps"),
        (["--model", "no-such-model"], "neither an embedded model"),
        (["--device", "warp"], "cannot compute on 'warp'"),
    ],
)
def test_options_that_cannot_be(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    wrong: str,
) -> None:
    """The option is named, and nothing is written."""
    error = error_of(monkeypatch, capsys, "--out", tmp_path / "o", *arguments)
    assert wrong in error.replace("\n", " ")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("{broken", "not JSON"),
        ('{"prompt": "a", "sead": 1}', "unknown keys"),
        ('{"prompt": "a sign", "seed": -1}', '"seed" must be a whole number'),
        ('a sign that says "HELLO"', "the policy's action is allow"),
    ],
)
def test_bad_lines_are_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    line: str,
    wrong: str,
) -> None:
    """File and line, before anything is drawn; a prompt that is not substituted is one."""
    file = tmp_path / "p.txt"
    file.write_text(f'a sign that says "IDIOT"\n\n{line}\n')
    error = error_of(monkeypatch, capsys, "--out", tmp_path / "o", "--prompts", file)
    text = " ".join(error.split())
    assert f"{file}:3:" in error.replace("\n", "")
    assert wrong in text


def test_prompts_are_judged_as_the_model_reads_them(tmp_path: Path) -> None:
    """One that the guard would block while drawing is named before, as DeepFloyd IF reads it."""
    folder = tmp_path / "model"
    shutil.copytree(model_folder("if-tiny"), folder)
    (shipped,) = (p for p in shipped_manifests() if p.stem == "if-tiny")
    manifest = yaml.safe_load(shipped.read_text())
    manifest["call"]["clean_caption"] = True
    (folder / FILE_NAME).write_text(yaml.safe_dump(manifest))
    file = tmp_path / "p.txt"
    file.write_text('a sign that says "IDIOT"\na sign <b title="IDIOT"> that says "HELLO"\n')
    with pytest.raises(MeasureError, match=r"p\.txt:2: the policy's action is block"):
        run(Options(out=tmp_path / "o", model=str(folder), prompts=file))
    assert not (tmp_path / "o").exists()
