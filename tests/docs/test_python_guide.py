"""The examples of docs/guides/python.md run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "guides" / "python.md").read_text("utf-8"), re.DOTALL
)
GIVEN = "prompt, pipe = 'a red sign', str.upper\n"
"""What a block may use that a reader has: a prompt, and a pipeline of some kind."""


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_an_example_runs(number: int, tmp_path: Path) -> None:
    """As a script of its own, since one of them starts processes."""
    script = tmp_path / "example.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{GIVEN}{BLOCKS[number]}")
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stderr
