"""The command line, run as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOXIC = 'a red sign that says "IDIOT" on a blue background'


def inkguard(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from inkguard.cli.main import main; main()", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=200)


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
