"""The README's and the guides' blocks run as somebody would paste them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from inkguard.client.process import sidecar
from tests.docs.snippets import problems, section

ROOT = Path(__file__).resolve().parents[2]
GRPC, METRICS = "127.0.0.1:50051", "127.0.0.1:9464"
GIVEN = "prompt, pipe = 'a red sign', str.upper\n"
"""What a block may use that a reader has: a prompt, and a pipeline of some kind."""
PAGES = ("README.md", "docs/guides/python.md", "docs/reference/python.md")


def blocks(page: str, language: str) -> list[str]:
    tokens = MarkdownIt().parse((ROOT / page).read_text(encoding="utf-8"))
    return [t.content for t in tokens if t.type == "fence" and t.info.split()[:1] == [language]]


def run(folder: Path, *command: str, **variables: str) -> str:
    """What a command prints in a folder of its own; it must end well."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def script(folder: Path, text: str) -> None:
    (folder / "block.py").write_text(text, encoding="utf-8")
    run(folder, sys.executable, "block.py")


def free_address() -> str:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{door.getsockname()[1]}"


@pytest.mark.parametrize(
    ("page", "number"), [(page, n) for page in PAGES for n in range(len(blocks(page, "python")))]
)
def test_a_python_block_runs(page: str, number: int, tmp_path: Path) -> None:
    """Each by itself, in a new process and an empty folder; those of the README leave a picture."""
    given = "" if page == "README.md" else GIVEN
    script(tmp_path, given + blocks(page, "python")[number])
    assert page != "README.md" or list(tmp_path.glob("*.png"))


def test_the_clients_block_talks_to_a_server(tmp_path: Path) -> None:
    """The server guide's example, with the address of a server that runs here."""
    (block,) = blocks("docs/guides/server.md", "python")
    with sidecar({}) as addresses:
        assert GRPC in block
        script(tmp_path, block.replace(GRPC, addresses.grpc))
    assert (tmp_path / "sign.png").exists()


def test_the_first_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check, and a picture."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert problems(section(text, "On the command line")) == []
    assert (tmp_path / "sign.png").exists()


def test_the_servers_block_waits_for_the_server(tmp_path: Path) -> None:
    """Pasted as a whole: the server starts, is waited for, draws, counts and ends."""
    (block,) = [b for b in blocks("README.md", "sh") if "inkguard serve" in b and "&" in b]
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "inkguard").write_text(f'#!/bin/sh\nexec {sys.executable} -m inkguard "$@"\n')
    (commands / "inkguard").chmod(0o755)
    grpc, metrics = free_address(), free_address()
    assert GRPC in block
    assert METRICS in block
    printed = run(
        tmp_path,
        *("sh", "-c", block.replace(GRPC, grpc).replace(METRICS, metrics)),
        PATH=f"{commands}{os.pathsep}{os.environ['PATH']}",
        INKGUARD_LISTEN=grpc,
        INKGUARD_METRICS=metrics,
    )
    assert "inkguard_decisions_total" in printed
    assert (tmp_path / "sign.png").exists()
    assert '"kind": "decision"' in (tmp_path / "decisions.jsonl").read_text(encoding="utf-8")


def test_the_readme_wraps_a_pipeline() -> None:
    """So that the lines which people copy most are among those that run."""
    assert any("wrap(pipe" in b and ".to(" in b for b in blocks("README.md", "python"))
