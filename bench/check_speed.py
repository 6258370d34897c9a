"""How long two versions of inkguard take to check the same prompts, with word lists alone.

    git worktree add /tmp/before COMMIT
    python bench/check_speed.py --before /tmp/before

Each version runs in a process of its own and gets the prompts of `bench/detect.py` (200 characters each, half
of them toxic) one by one, in turn with the other version. The times are processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from detect import DATA, timed_prompts

ROOT = Path(__file__).parent.parent
_WORKER = """
import importlib, json, sys, time
package, checker = sys.argv[1:]
Checker = importlib.import_module(checker).Checker
load_policy = importlib.import_module(package + ".policy.load").load_policy
checker = Checker(load_policy(), None)
for line in sys.stdin:
    prompt = json.loads(line)
    began = time.process_time_ns()
    checker.check(prompt)
    print(time.process_time_ns() - began, flush=True)
"""


class Version:
    """A process that checks prompts by the code in a folder."""

    def __init__(self, folder: Path) -> None:
        today = (folder / "guard" / "inkguard").is_dir()  # once the package was called guard
        names = ("inkguard", "inkguard.check.checker") if today else ("guard", "guard.check")
        path = folder / "guard" if today else folder
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _WORKER, *names],
            env={**os.environ, "PYTHONPATH": str(path), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def milliseconds(self, prompt: str) -> float:
        """The processor time of one check."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(prompt) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline()) / 1e6


def main() -> None:
    """Print both versions' medians and 99th percentiles, and the ratio of the sums."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--before", type=Path, required=True, help="a checkout of the other version"
    )
    parser.add_argument("--prompts", type=int, default=900)
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    versions = {"before": Version(arguments.before), "now": Version(ROOT)}
    times: dict[str, list[float]] = {name: [] for name in versions}
    for number, prompt in enumerate(timed_prompts(rows, arguments.prompts)):
        for name in sorted(versions, reverse=bool(number % 2)):
            took = versions[name].milliseconds(prompt)
            if number >= 20:  # the first ones warm up
                times[name].append(took)
    for name, taken in times.items():
        print(
            f"{name}: p50 {np.percentile(taken, 50):.2f} ms, p99 {np.percentile(taken, 99):.2f} ms"
        )
    print(f"now / before: {sum(times['now']) / sum(times['before']):.3f}")


if __name__ == "__main__":
    main()
