"""The fuzz target, for a short time; docs/results/detection.md says how to run it for longer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 10
# Linux counts this process's memory into the peak of what it starts, and libFuzzer looks at its peak:
# a small process in between keeps the suite's own memory out of it.
_BETWEEN = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
EVERY = 12  # of the evaluation set's prompts, one begins the corpus


@pytest.mark.timeout(120)
def test_no_text_breaks_the_check(tmp_path: Path) -> None:
    """From prompts of every kind, libFuzzer finds no input that breaks what the target asserts."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    rows = (ROOT / "tests" / "data" / "detect.jsonl").read_text(encoding="utf-8").splitlines()
    for number, row in enumerate(rows[::EVERY]):
        (corpus / str(number)).write_text(json.loads(row)["prompt"], encoding="utf-8")
    target = [sys.executable, "tests/fuzz/fuzz_check.py", str(corpus)]
    limits = [f"-max_total_time={SECONDS}", "-max_len=10000", f"-artifact_prefix={tmp_path}/"]
    run = subprocess.run(
        [sys.executable, "-c", _BETWEEN, *target, *limits],
        cwd=ROOT,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(str(ROOT / p) for p in ("", "guard", "server"))},
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert "Done" in run.stderr
