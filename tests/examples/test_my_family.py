"""The example of a family of one's own runs, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_a_pipeline_class_of_ones_own_is_guarded_once_it_is_registered() -> None:
    """Refused before, and substituted after."""
    done = subprocess.run(
        [sys.executable, "-m", "examples.my_family"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = done.stdout.splitlines()
    assert before.startswith("Before: PosterPipeline is not supported")
    assert after == "After: substitute, rung sites"
