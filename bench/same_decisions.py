"""Whether two versions of inkguard decide alike and draw alike.

    git worktree add /tmp/before COMMIT
    python bench/same_decisions.py --before "cd /tmp/before && python -m guard"

The prompts are those of tests/data/detect.jsonl. `check --jsonl` answers them in both versions, and the
answers are compared but for rule ids, which were positions once and are digests now. With --pictures,
`generate` draws six prompts in both, and the pictures are compared pixel by pixel.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent
DETECT = ROOT / "tests" / "data" / "detect.jsonl"
SIGNS = ("IDIOT", "LOSER", "SHUT UP", "HELLO", "DUMB", "OPEN")


def answers(command: str, prompts: Path) -> Iterator[dict[str, Any]]:
    """What `check --jsonl` says of each prompt, without what a rule's id adds to its name."""
    done = subprocess.run(  # noqa: S602 - the caller's own command, which may be a line of several
        f"{command} check --jsonl {prompts}",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        sys.exit(f"{command}: {done.stderr}")
    for line in done.stdout.splitlines():
        answer = json.loads(line)
        for finding in answer["findings"]:
            finding["rule"] = finding["rule"].split("/")[0].split("#")[0]
        del answer["policy"]
        yield answer


def picture(command: str, prompt: str, seed: int, out: Path) -> np.ndarray:
    """The picture that `generate` draws of a prompt."""
    call = f"{command} generate {shlex.quote(prompt)} --seed {seed} --out {out}"
    subprocess.run(call, shell=True, capture_output=True, check=True)  # noqa: S602 - as above
    return np.asarray(Image.open(out))


def main() -> None:
    """Print how many answers and pictures differ; exit with 1 if any does."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--before", required=True, help="the command of the version before")
    parser.add_argument("--after", default=f"{sys.executable} -m inkguard", help="and of this one")
    parser.add_argument("--pictures", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prompts = Path(folder) / "prompts.jsonl"
        rows = [json.loads(line) for line in DETECT.read_text(encoding="utf-8").splitlines()]
        lines = (json.dumps({"id": row["id"], "prompt": row["prompt"]}) for row in rows)
        prompts.write_text("\n".join(lines) + "\n", encoding="utf-8")
        both = zip(
            answers(arguments.before, prompts), answers(arguments.after, prompts), strict=True
        )
        changed = [old["id"] for old, new in both if old != new]
        print(f"{len(rows)} prompts: {len(changed)} are decided otherwise", *changed[:20])
        for number, text in enumerate(SIGNS if arguments.pictures else ()):
            prompt = f'a red sign that says "{text}" on a blue background'
            drawn = [
                picture(c, prompt, number, Path(folder) / f"{i}.png")
                for i, c in enumerate((arguments.before, arguments.after))
            ]
            same = np.array_equal(*drawn)
            print(f"picture {number + 1}: {'the same' if same else 'another'}")
            changed += [] if same else [f"picture {number + 1}"]
    sys.exit(bool(changed))


if __name__ == "__main__":
    main()
