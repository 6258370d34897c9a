"""How well a reference model draws: `python bench/reference_model.py [--model NAME] [--captions 300]`.

300 captions, each with a text that was held out before training and scene attributes drawn from a
fixed seed; one fixed seed a caption, no retries, no dictionary. Exact text: RapidOCR reads the very
letters (case and spaces aside). Colours and shape: the judge (training/judge.py), trained on
rendered truth only. Intervals are Wilson's at 95 %.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.stats import binomtest
from tqdm import tqdm

from inkguard.draw.load import load_pipeline
from inkguard.errors import UnsupportedModel
from inkguard.families.registry import adapter_for
from inkguard.manifests.manifest import find_manifest
from inkguard.measure.world.captions import held_out, plain_caption, sample_scene
from inkguard.measure.world.scene import HEIGHT, WIDTH
from inkguard.process import own_process
from inkguard.verify import default_reader, letters_of
from training.judge import FOLDER as JUDGE
from training.judge import load_judge, read_attributes

SEED = 2026


def share(name: str, hits: list[bool]) -> str:
    low, high = binomtest(sum(hits), len(hits)).proportion_ci(method="wilson")
    return f"{name:28s} {sum(hits):4d}/{len(hits)} = {sum(hits) / len(hits):.3f}  [{low:.3f}, {high:.3f}]"


def _call(pipe: Any, folder: Path) -> dict[str, Any]:
    """The manifest's arguments, or for a model that has none yet those of our world."""
    try:
        adapter = adapter_for(pipe)
        manifest = find_manifest(adapter.denoiser(pipe), adapter.site_names(pipe), folder)
        return dict(manifest.call)
    except UnsupportedModel:
        return {"height": HEIGHT, "width": WIDTH, "guidance_scale": 3.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="sd3-tiny")
    parser.add_argument("--captions", type=int, default=300)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/bench"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    pipe, folder = load_pipeline(arguments.model)
    call = _call(pipe, folder)
    texts = sorted(held_out())
    np.random.default_rng(SEED).shuffle(texts)
    scenes = [
        sample_scene(np.random.default_rng((SEED, n)), text)
        for n, text in enumerate(texts[: arguments.captions])
    ]
    images: list[Image.Image] = []
    started = time.perf_counter()
    for start in tqdm(range(0, len(scenes), arguments.batch), desc="drawing", unit="batch"):
        part = scenes[start : start + arguments.batch]
        generators = [torch.Generator().manual_seed(start + n) for n in range(len(part))]
        images += pipe(
            [plain_caption(s) for s in part],
            num_inference_steps=arguments.steps,
            generator=generators,
            **call,
        ).images
    seconds = (time.perf_counter() - started) / len(scenes)
    reader = default_reader()
    readings = [letters_of(reader.read(i)) for i in tqdm(images, desc="reading", unit="picture")]
    exact = [r == letters_of(s.text) for r, s in zip(readings, scenes, strict=True)]
    print(share("exact text", exact))
    result = {"exact": sum(exact), "captions": len(scenes), "seconds_per_picture": seconds}
    if (JUDGE / "model.safetensors").exists():
        seen = read_attributes(load_judge(), images)
        every = []
        for key in ("background", "sign", "shape_color", "shape"):
            hits = [a[key] == getattr(s, key) for a, s in zip(seen, scenes, strict=True)]
            every.append(hits)
            print(share(key, hits))
            result[key] = sum(hits)
        both = [all(row) for row in zip(*every, strict=True)]
        print(share("all colours and the shape", both))
        result["all_attributes"] = sum(both)
    print(f"{seconds:.3f} s a picture in batches of {arguments.batch}, {arguments.threads} threads")
    (arguments.out / "reference_model.json").write_text(json.dumps(result, indent=1) + "\n")
    columns = 8
    rows = min(8, math.ceil(len(images) / columns))
    grid = Image.new("RGB", (columns * images[0].width, rows * images[0].height))
    for n, image in enumerate(images[: rows * columns]):
        grid.paste(image, (n % columns * image.width, n // columns * image.height))
    grid.resize((grid.width * 2, grid.height * 2), Image.Resampling.BICUBIC).save(
        arguments.out / "samples.png"
    )


if __name__ == "__main__":
    own_process()
    main()
