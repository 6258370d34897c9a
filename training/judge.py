"""A small classifier that reads colours and shape off a picture, to measure the reference models.

It is trained on rendered truth alone (never on a model's pictures), with blur and noise, and is used
only for evaluation: `python -m training.judge` makes it and prints its accuracy on truth.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from inkguard.measure.world.captions import sample_scene
from inkguard.measure.world.scene import COLORS, SHAPES, Scene, render
from training.loop import Plan, run

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "background": tuple(COLORS),
    "sign": tuple(COLORS),
    "shape_color": tuple(COLORS),
    "shape": SHAPES,
}
FOLDER = Path(__file__).parents[1] / "models" / "judge"
_BATCH = 64


class Judge(nn.Module):
    """Pictures (B, 3, 64, 96) in 0..1 to a dict of logits (B, classes), one per attribute."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 16, 32, 64, 96)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(96 * 4 * 6, 128), nn.ReLU())
        self.heads = nn.ModuleDict({k: nn.Linear(128, len(v)) for k, v in ATTRIBUTES.items()})

    def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        body = self.body(pixels)
        return {key: head(body) for key, head in self.heads.items()}


def load_judge(folder: Path = FOLDER) -> Judge:
    """The shipped judge, ready to use."""
    judge = Judge()
    judge.load_state_dict(load_file(folder / "model.safetensors"))
    return judge.eval()


@torch.no_grad()
def read_attributes(judge: Judge, images: list[Image.Image]) -> list[dict[str, str]]:
    """What the judge sees in each picture: attribute to class name."""
    pixels = torch.from_numpy(np.stack([np.asarray(i.convert("RGB")) for i in images]))
    logits = judge(pixels.permute(0, 3, 1, 2).float() / 255)
    picks = {key: values.argmax(1).tolist() for key, values in logits.items()}
    return [{key: ATTRIBUTES[key][picks[key][n]] for key in ATTRIBUTES} for n in range(len(images))]


def _batch(step: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rendered pictures (B, 3, 64, 96) in 0..1 and their class indices (B, 4)."""
    rng = np.random.default_rng((seed, step))
    scenes: list[Scene] = [sample_scene(rng) for _ in range(_BATCH)]
    pixels = torch.from_numpy(np.stack([render(s, rng).pixels for s in scenes]))
    truth = [[names.index(getattr(s, key)) for key, names in ATTRIBUTES.items()] for s in scenes]
    return pixels.permute(0, 3, 1, 2).float() / 255, torch.tensor(truth)


def train(work: Path, steps: int) -> tuple[Judge, dict[str, float]]:
    """Train, and measure the accuracy per attribute on 1,280 fresh rendered pictures."""
    torch.manual_seed(0)
    judge = Judge()
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3)

    def loss_at(step: int) -> torch.Tensor:
        pixels, truth = _batch(step, seed=5)
        if step % 2:
            pixels = F.avg_pool2d(pixels, 3, stride=1, padding=1, count_include_pad=False)
        torch.manual_seed(step)
        logits = judge(pixels + 0.03 * torch.randn_like(pixels))
        losses = [F.cross_entropy(logits[key], truth[:, n]) for n, key in enumerate(ATTRIBUTES)]
        return torch.stack(losses).sum()

    run(
        name="judge",
        checkpoint=work / "judge.pt",
        plan=Plan(steps=steps, cooldown=0.5),
        modules={"judge": judge},
        optimizers=[optimizer],
        loss_at=loss_at,
    )
    judge.eval()
    right = torch.zeros(len(ATTRIBUTES))
    with torch.no_grad():
        for step in range(20):
            pixels, truth = _batch(step, seed=6)
            logits = judge(pixels)
            right += torch.stack(
                [
                    (logits[key].argmax(1) == truth[:, n]).float().mean()
                    for n, key in enumerate(ATTRIBUTES)
                ]
            )
    accuracy = (right / 20).tolist()
    return judge, dict(zip(ATTRIBUTES, accuracy, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.judge", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("out/train"))
    parser.add_argument("--out", type=Path, default=Path("out/models/judge"))
    parser.add_argument("--steps", type=int, default=1500)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    judge, accuracy = train(arguments.work, arguments.steps)
    arguments.out.mkdir(parents=True, exist_ok=True)
    save_file(judge.state_dict(), arguments.out / "model.safetensors")
    (arguments.out / "accuracy.json").write_text(json.dumps(accuracy, indent=1) + "\n")
    print(json.dumps(accuracy))


if __name__ == "__main__":
    main()
