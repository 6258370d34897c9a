"""At which noise if-tiny loses what it draws: `python bench/from_truth.py [--model if-tiny] [--captions 100]`.

Sampling starts from rendered truth under the noise of each step, and not from pure noise alone. Where
the judge (training/judge.py) then sees more of what the caption says, it was lost before that step.
Beside it stands what one step of the U-Net makes of the same noisy truth, without guidance.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from PIL import Image

from inkguard.draw.load import load_pipeline
from inkguard.measure.world.captions import held_out, plain_caption, sample_scene
from inkguard.measure.world.scene import Scene, render
from inkguard.process import own_process
from training.autoencoder import to_model
from training.deepfloyd import predicts_of
from training.judge import load_judge, read_attributes

SEED, STEPS, GUIDANCE, BATCH = 2026, 20, 3.0, 20


def shares(pictures: torch.Tensor, scenes: list[Scene]) -> str:
    """How often the judge sees the sign's colour, the shape's and the shape in (N, 3, 64, 96) in -1..1."""
    pixels = ((pictures / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    seen = read_attributes(load_judge(), [Image.fromarray(p) for p in pixels])
    means = {
        key: np.mean([a[key] == getattr(s, key) for a, s in zip(seen, scenes, strict=True)])
        for key in ("sign", "shape_color", "shape")
    }
    return "  ".join(f"{key} {mean:.2f}" for key, mean in means.items())


def predict(pipe: Any, noisy: torch.Tensor, t: Any, text: torch.Tensor) -> torch.Tensor:
    """The U-Net's output, (N, 3, 64, 96), in batches."""
    parts = zip(noisy.split(BATCH), text.split(BATCH), strict=True)
    return torch.cat([pipe.unet(x, t, e, return_dict=False)[0][:, :3] for x, e in parts])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="if-tiny", help="if-tiny, or a folder of one")
    parser.add_argument("--captions", type=int, default=100)
    parser.add_argument("--skipped", type=int, nargs="*", default=[0, 4, 8, 10, 12, 14])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pipe, _ = load_pipeline(arguments.model)
    texts = sorted(held_out())
    np.random.default_rng(SEED).shuffle(texts)
    scenes = [
        sample_scene(np.random.default_rng((SEED, n)), text)
        for n, text in enumerate(texts[: arguments.captions])
    ]
    drawn = [render(s, np.random.default_rng((9, n))).pixels for n, s in enumerate(scenes)]
    truth = to_model(torch.from_numpy(np.stack(drawn)))
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    scheduler = pipe.scheduler
    print(f"rendered truth: {shares(truth, scenes)}")
    with torch.no_grad():
        captions = [plain_caption(s) for s in scenes]
        text, empty = pipe.encode_prompt(captions, clean_caption=False)
        for skipped in arguments.skipped:
            scheduler.set_timesteps(STEPS)
            scheduler.set_begin_index(skipped)
            steps = scheduler.timesteps[skipped:]
            signal = scheduler.alphas_cumprod[steps[0]]
            x = signal.sqrt() * truth + (1 - signal).sqrt() * noise if skipped else noise
            once = predict(pipe, x, steps[0], text)
            if predicts_of(pipe) == "velocity":
                once = signal.sqrt() * x - (1 - signal).sqrt() * once
            for t in steps:
                plain, told = predict(pipe, x, t, empty), predict(pipe, x, t, text)
                x = scheduler.step(plain + GUIDANCE * (told - plain), t, x, return_dict=False)[0]
            print(f"first {skipped:2d} of {STEPS} steps skipped, noise {(1 - signal).sqrt():.3f}:")
            print(f"  sampled from there: {shares(x, scenes)}")
            print(f"  in one step:        {shares(once, scenes)}", flush=True)


if __name__ == "__main__":
    own_process()
    main()
