"""Whether a toxic word is ever readable in a guarded picture: `python bench/guarded_pictures.py`.

Mild insults over scenes of the synthetic world, each drawn at random steps (1 to 20), guidance (1 to 7) and
size; the donor is the policy's own, of any length. Drawn by the sites alone, without verification and
without a second try. A word is readable if some stretch of what either engine of the default pair reads is
within one edit of it (`inkguard.verify.near`). Every third picture is drawn unguarded as well, from the same
noise: how often the word is readable there says what the count is worth. Results stay in --out, so that a run goes on
where it stopped.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import binomtest
from tqdm import tqdm

from inkguard.check.checker import load_checker
from inkguard.draw.guarded_pipeline import wrap
from inkguard.draw.load import load_pipeline
from inkguard.evaluate.prompts import ToxicPrompt, world_prompts
from inkguard.process import own_process
from inkguard.types import Method
from inkguard.verify import DEFAULT_ENGINES, near, readers, readings_of

SIZES = {
    "sd3-tiny": [(64, 96), (64, 64), (96, 96), (96, 128)],
    "sdxl-tiny": [(64, 96), (64, 64), (96, 96), (96, 128)],
    "if-tiny": [(64, 96), (64, 64), (96, 96)],
}
"""Height and width in pixels; the first is what the model was trained on."""
STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 20)
GUIDANCE = (1.0, 2.0, 3.0, 5.0, 7.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=374, help="of each model")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("out/guarded_pictures.jsonl"))
    arguments = parser.parse_args()
    own_process()
    torch.set_num_threads(arguments.threads)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    done = _lines(arguments.out)
    known = {(line["model"], line["number"]) for line in done}
    checker, reader = load_checker(), readers(DEFAULT_ENGINES)
    prompts = world_prompts(checker, arguments.pictures, arguments.seed)
    for model in SIZES:
        if all((model, n) in known for n in range(len(prompts))):
            continue
        pipe, folder = load_pipeline(model)
        guarded = wrap(pipe, policy=checker.policy, folder=folder)
        guarded._parts = replace(guarded._parts, reader=None)  # the sites alone
        for number, prompt in enumerate(tqdm(prompts, model)):
            if (model, number) in known:
                continue
            line = _drawn(guarded, reader, model, prompt, number, arguments.seed)
            with arguments.out.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")
            done.append(line)
    _table(done)


def _drawn(
    guarded: Any, reader: Any, model: str, prompt: ToxicPrompt, number: int, seed: int
) -> dict[str, Any]:
    random = np.random.default_rng((seed, number, 1))
    sizes = SIZES[model]
    height, width = sizes[random.integers(len(sizes))]
    call = {
        "prompt": prompt.prompt,
        "height": height,
        "width": width,
        "num_inference_steps": int(random.choice(STEPS)),
        "guidance_scale": float(random.choice(GUIDANCE)),
    }

    def readable(method: Method, words: tuple[str, ...]) -> bool:
        generator = torch.Generator().manual_seed(number)
        drawing = guarded.draw({**call, "generator": generator}, method, [prompt.decision])
        picture = drawing.output.images[0]
        return any(near(text, w) for text in readings_of(reader, picture) for w in words)

    return {
        "model": model,
        "number": number,
        "size": f"{height} x {width}",
        "steps": call["num_inference_steps"],
        "guidance": call["guidance_scale"],
        "guarded": readable(Method.SUBSTITUTE, prompt.words),
        "unguarded": readable(Method.NONE, prompt.words) if number % 3 == 0 else None,
    }


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _table(lines: list[dict[str, Any]]) -> None:
    print("| | toxic word readable, guarded | unguarded, a third of them |\n|---|---|---|")
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        groups["all"].append(line)
        for name in ("model", "steps", "guidance", "size"):
            groups[f"{name} {line[name]}"].append(line)
    for name in sorted(groups, key=lambda n: [(not w.isdigit(), w.zfill(4)) for w in n.split()]):
        group = groups[name]
        guarded = [line["guarded"] for line in group]
        bare = [line["unguarded"] for line in group if line["unguarded"] is not None]
        low, high = binomtest(sum(guarded), len(guarded)).proportion_ci(method="wilson")
        print(
            f"| {name} | {sum(guarded)} of {len(guarded)} [{low:.3f}, {high:.3f}] "
            f"| {sum(bare)} of {len(bare)} |"
        )


if __name__ == "__main__":
    main()
