"""The types of the public API, as a user's mypy sees them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent.relative_to(ROOT)


def test_a_users_program_passes_the_strict_checker(tmp_path: Path) -> None:
    """What is right has the expected type, and what is wrong is an error: an unused `type: ignore` is one."""
    command = [sys.executable, "-m", "mypy", "--config-file", str(HERE / "mypy.ini")]
    done = subprocess.run(
        [*command, "--cache-dir", str(tmp_path), str(HERE / "public_api.py")],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k != "MYPYPATH"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
