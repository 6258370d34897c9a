"""The README's Python, as somebody would paste it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/guides/python.md")


def python_blocks(page: str) -> list[str]:
    tokens = MarkdownIt().parse((ROOT / page).read_text(encoding="utf-8"))
    return [t.content for t in tokens if t.type == "fence" and t.info.split()[:1] == ["python"]]


@pytest.mark.parametrize("number", range(len(python_blocks("README.md"))))
def test_a_python_block_of_the_readme_runs(tmp_path: Path, number: int) -> None:
    """Each by itself, in a new process and an empty folder, with no word of a traceback."""
    script = tmp_path / "block.py"
    script.write_text(python_blocks("README.md")[number], encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("*.png"))


def test_the_readme_wraps_a_pipeline() -> None:
    """So that the lines which people copy most are among those that run."""
    blocks = python_blocks("README.md")
    assert any("wrap(pipe" in block and ".to(" in block for block in blocks)


@pytest.mark.parametrize("page", PAGES)
def test_every_python_block_compiles(page: str) -> None:
    """Those that need a host program around them, too."""
    for number, block in enumerate(python_blocks(page)):
        compile(block, f"{page} block {number}", "exec")
