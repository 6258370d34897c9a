"""The filters that `bench/detect.py` compares with, each in an environment of its own under out/.

better-profanity and alt-profanity-check come from PyPI, obscenity from npm; they are no part of
inkguard's lock. A worker process answers for each: `detect_worker.py` and `detect_worker.mjs`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["PEERS", "Peer", "prepare"]

HERE = Path(__file__).parent
PEERS = {
    "better-profanity": "better-profanity==0.7.0",
    "alt-profanity-check": "alt-profanity-check==1.9.1",
    "obscenity": "obscenity@0.4.6",
}


@dataclass(frozen=True, slots=True)
class Peer:
    """A filter that can be asked."""

    name: str
    version: str
    command: tuple[str, ...]
    folder: Path

    def flags(self, texts: Sequence[str]) -> dict[str, bool]:
        """Per text whether the filter calls it offensive."""
        unique = list(dict.fromkeys(texts))
        return dict(zip(unique, self._ask(unique)["hits"], strict=True))

    def times(self, texts: Sequence[str]) -> list[tuple[float, float]]:
        """Per text the milliseconds by the clock and of the processor, one call a text."""
        return [(wall, cpu) for wall, cpu in self._ask(texts)["times"]]

    def _ask(self, texts: Sequence[str]) -> dict[str, Any]:
        question, answer = self.folder / "question.json", self.folder / "answer.json"
        question.write_text(json.dumps(list(texts)), encoding="utf-8")
        subprocess.run([*self.command, self.name, question, answer], check=True)
        reply: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        return reply


def prepare(folder: Path) -> list[Peer]:
    """The peers, installed where they are not yet; those that cannot be are left out, with a line."""
    found = []
    for name, version in PEERS.items():
        try:
            found.append(
                _npm(name, version, folder) if "@" in version else _pip(name, version, folder)
            )
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{name} could not be installed and is left out: {type(error).__name__}")
    return found


def _pip(name: str, version: str, folder: Path) -> Peer:
    home = folder / name
    python = home / "bin" / "python"
    marker = home / version
    if not marker.exists():
        venv.create(home, with_pip=True, clear=True)
        options = ("--quiet", "--disable-pip-version-check")
        subprocess.run([python, "-m", "pip", "install", *options, version], check=True)
        marker.touch()
    return Peer(name, version, (str(python), str(HERE / "detect_worker.py")), home)


def _npm(name: str, version: str, folder: Path) -> Peer:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise FileNotFoundError("node and npm")
    home = folder / name
    marker = home / version
    if not marker.exists():
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text('{"private": true}')
        options = ("--silent", "--no-audit", "--no-fund")
        subprocess.run([npm, "install", *options, version], check=True, cwd=home, env=os.environ)
        marker.touch()
    command = (node, str(HERE / "detect_worker.mjs"), str(home.resolve()))
    return Peer(name, version, command, home)


if __name__ == "__main__":
    sys.exit("run bench/detect.py")
