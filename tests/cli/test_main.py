"""The command line, run as a user runs it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from inkguard.cli import jsonl
from inkguard.cli.generate import bad_line
from inkguard.cli.main import app, main

TOXIC = 'a red sign that says "IDIOT" on a blue background'


class Ran(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    output: str
    error: str


@pytest.fixture
def run_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """Run a command in this process, where the model libraries are loaded once, on 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["inkguard", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Ran(int(ended.value.code or 0), printed.out, printed.err)

    return run


def inkguard(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from inkguard.cli.main import main; main()", *arguments]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=200, check=False
    )


def test_check_jsonl_keeps_the_contract() -> None:
    """One object out per line in, in order, with exactly the promised keys; exit 1 for the bad line."""
    lines = [
        json.dumps({"id": "a", "prompt": TOXIC}),
        "nonsense",
        json.dumps({"id": 2, "prompt": "a cat"}),
    ]
    result = inkguard("check", "--jsonl", "-", stdin="\n".join(lines))
    assert result.returncode == 1, result.stderr
    first, bad, last = map(json.loads, result.stdout.splitlines())
    assert list(first) == ["id", "action", "findings", "donor_prompt", "policy"]
    keys = ["start", "end", "text", "source", "rule", "category", "severity", "score"]
    assert all(list(f) == keys for f in first["findings"])
    assert all(TOXIC[f["start"] : f["end"]] == f["text"] for f in first["findings"])
    assert first["action"] == "substitute"
    assert list(first["policy"]) == ["name", "version"]
    assert bad["id"] is None
    assert "error" in bad
    assert (last["id"], last["action"], last["donor_prompt"]) == (2, "allow", None)


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("check", "a cat", "--policy", "/nonexistent.yaml"),
        ("generate", "a cat", "--model", "no-such-model"),
        ("generate", "a cat", "--out", "/no/such/folder/x.png"),
        ("check", "--jsonl", "/nonexistent.jsonl"),
        ("generate", "a cat", "--server", "127.0.0.1:1", "--unreached"),
    ],
    ids=["nothing", "policy", "model", "out", "jsonl", "unreached"],
)
def test_a_users_mistake_is_an_error_without_a_traceback(arguments: tuple[str, ...]) -> None:
    """Exit code 2, a message, and no traceback."""
    result = inkguard(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert result.stderr.strip()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            '{"prompt": "a cat", "out": "x.png", "sed": 1}',
            "line 2: a key that is not known; did you mean 'seed'?",
        ),
        (
            '{"prompt": "a cat", "out": "x.png", "zzz": 1}',
            "line 2: a key that is not known (known:",
        ),
        ('{"prompt": "a cat"}', "line 2: out: a file name is needed"),
    ],
    ids=["close", "far", "out"],
)
def test_a_bad_line_of_generate_is_named_by_its_number(line: str, said: str) -> None:
    """Blank lines count, the id comes back, and an unknown key brings to mind the one that was meant."""
    job = {"id": 7, **json.loads(line)}
    sink = io.StringIO()
    source = io.BytesIO(f"\n{json.dumps(job)}\n".encode())
    assert jsonl.run(source, sink, bad_line, lambda _: []) == 1
    answer = json.loads(sink.getvalue())
    assert answer["id"] == 7
    assert said in answer["error"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--pictures", "17"), "less than or equal to 16"),
        (("--guidance", "-1"), "greater than or equal to 0"),
        (("--dtype", "int8"), "is not one of"),
        (("--device", "warp"), "cannot compute on 'warp'"),
        (("--width", "65"), "must be a multiple"),
        (("--server", "127.0.0.1:1", "--device", "cuda"), "--device does not go"),
        (("--server", "127.0.0.1:1", "--negative-prompt", "x"), "have no negative prompt"),
    ],
    ids=["pictures", "guidance", "dtype", "device", "width", "remote-device", "remote-negative"],
)
def test_what_cannot_be_drawn_is_told(
    run_here: Callable[..., Ran], tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    """The option and what it may be, exit code 2, and no file."""
    out = tmp_path / "x.png"
    ran = run_here("generate", "a red circle", "--steps", "1", "--out", str(out), *arguments)
    assert ran.code == 2
    assert said in ran.error
    assert not out.exists()


def test_several_pictures_are_numbered(run_here: Callable[..., Ran], tmp_path: Path) -> None:
    """Drawn from seeds that follow each other: the second is the first of the next seed."""
    small = ("--steps", "2", "--json", "--negative-prompt", "a tree", "--guidance", "2")
    ran = run_here(
        "generate", "a red circle", "--pictures", "2", *small, "--out", str(tmp_path / "x.png")
    )
    files = [tmp_path / "x-1.png", tmp_path / "x-2.png"]
    assert json.loads(ran.output)["out"] == [str(f) for f in files]
    assert files[0].read_bytes() != files[1].read_bytes()
    run_here("generate", "a red circle", "--seed", "1", *small, "--out", str(tmp_path / "next.png"))
    with Image.open(tmp_path / "next.png") as alone, Image.open(files[1]) as second:
        # Rounding depends on a batch's other rows.
        far = np.abs(np.asarray(alone).astype(int) - np.asarray(second).astype(int))
    assert far.max() <= 2


def test_a_shadow_policy_says_what_it_would_do(
    run_here: Callable[..., Ran], tmp_path: Path
) -> None:
    """`check` prints the reason in words, and as a code."""
    policy = tmp_path / "shadow.yaml"
    policy.write_text(
        'apiVersion: inkguard/v1\nname: quiet\nversion: "1"\nextends: default\nmode: shadow\n'
        "detoxify: {}\n"
    )
    ran = run_here("check", TOXIC, "--policy", str(policy))
    assert "flag" in ran.output
    assert "enforced, it would be substitute" in ran.output
    told = json.loads(run_here("check", TOXIC, "--policy", str(policy), "--json").output)
    assert (told["action"], told["reason"]) == ("flag", "shadow_substitute")


def test_a_check_fits_eighty_columns(run_here: Callable[..., Ran]) -> None:
    """With nothing left out of the findings: text, place, rule, severity, source and score."""
    ran = run_here("check", f'{TOXIC} and a "LOSER"')
    assert max(map(len, ran.output.splitlines()[:-1])) <= 80
    assert "…" not in ran.output
    for said in ("IDIOT", "LOSER", "insult", "mild", "wordlist", "1.00", "substitute"):
        assert said in ran.output.replace("\n", " ")


def test_the_version_is_told(run_here: Callable[..., Ran]) -> None:
    """As pip knows it."""
    assert run_here("--version").output == f"inkguard {version('inkguard')}\n"


def test_generate_writes_the_picture_and_says_how(tmp_path: Path) -> None:
    """A PNG of the model's size, and a JSON object with the rung and the verification."""
    out = tmp_path / "x.png"
    result = inkguard("generate", "a red circle", "--steps", "2", "--out", str(out), "--json")
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert (answer["rung"], answer["verification"], answer["out"]) == (
        "unguarded",
        "not_needed",
        str(out),
    )
    assert out.read_bytes().startswith(b"\x89PNG")


def test_a_check_by_lists_alone_loads_no_classifier() -> None:
    """`--lists-only` finds listed words without importing PyTorch, and does not go with a sidecar."""
    script = (
        "import sys; from inkguard.cli.main import app; "
        "app(['check', 'a mug \"LOSER\"', '--json', '--lists-only'], standalone_mode=False); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["action"] == "substitute"
    refused = CliRunner().invoke(app, ["check", "a cat", "--lists-only", "--server", "x:1"])
    assert refused.exit_code == 2
    assert "its policies say" in " ".join(refused.output.replace("│", " ").split())
