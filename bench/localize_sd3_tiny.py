"""Which blocks of `sd3-tiny` draw the letters: activation patching, and the manifest with its evidence.

`python bench/localize_sd3_tiny.py [--prompts 24] [--write]`

For every block alone, then for growing sets of neighbours around the best one, the picture reads a
donor's text (another word of the same length) at those blocks and the prompt's own everywhere else
(Staniszewski et al. 2025, section 3). Read by OCR: similarity (1 - normalised Levenshtein distance)
to the donor's and to the prompt's word; mean squared error to the unpatched picture. The rule: the
smallest set whose donor similarity is within --within of swapping the whole prompt; ties by error. The
chosen set is also drawn with the donor's pooled text.
"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
import yaml
from rapidfuzz.distance import Levenshtein
from tqdm import tqdm

from guard.generate.adapter import adapter_for
from guard.generate.load import load_pipeline
from guard.reference.captions import held_out, plain_caption, sample_scene
from guard.substitute.manifest import Manifest, digest_weights
from guard.verify import default_reader, letters_of

SEED, BATCH = 77, 12
MANIFEST = Path(__file__).parent.parent / "guard/substitute/manifests/sd3-tiny.yaml"
CALL = {"height": 64, "width": 96, "max_sequence_length": 40, "guidance_scale": 3.0}
CONFIG_FIELDS = (
    "num_layers",
    "num_attention_heads",
    "attention_head_dim",
    "joint_attention_dim",
    "caption_projection_dim",
    "pooled_projection_dim",
    "in_channels",
    "patch_size",
    "sample_size",
)


def pairs(count: int) -> list[tuple[str, str, str, str]]:
    """(prompt, donor prompt, word, donor's word): held-out words of equal length."""
    rng = np.random.default_rng(SEED)
    words = sorted(w for w in held_out() if 4 <= len(w) <= 8 and " " not in w)
    rows = []
    while len(rows) < count:
        word, other = (str(w) for w in rng.choice(words, 2, replace=False))
        if len(word) == len(other):
            scene = sample_scene(rng, word)
            caption = plain_caption(scene)
            rows.append((caption, caption.replace(f'"{word}"', f'"{other}"'), word, other))
    return rows


def manifest(pipe: Any, sites: list[int], swap_pooled: bool = False) -> Manifest:
    return Manifest(
        name="sd3-tiny",
        pipeline=type(pipe).__name__,
        denoiser=type(pipe.transformer).__name__,
        config={},
        weights_digest=None,
        source="measured",
        sites=tuple(sites),
        modules=tuple(f"transformer_blocks.{s}.attn" for s in sites),
        start_step=0,
        swap_pooled=swap_pooled,
    )


class Sweep:
    """Draws all pairs with some sites patched, and scores the pictures."""

    def __init__(self, pipe: Any, rows: list[tuple[str, str, str, str]], steps: int) -> None:
        self.pipe, self.rows, self.steps = pipe, rows, steps
        self.reader = default_reader()
        self.plain = self.draw([])

    def draw(
        self, sites: list[int], swap: bool = False, swap_pooled: bool = False
    ) -> list[np.ndarray]:
        images: list[np.ndarray] = []
        for start in range(0, len(self.rows), BATCH):
            part = self.rows[start : start + BATCH]
            prompts, donors = [r[0] for r in part], [r[1] for r in part]
            call = {
                **CALL,
                "prompt": donors if swap else prompts,
                "num_inference_steps": self.steps,
                "generator": [torch.Generator().manual_seed(start + n) for n in range(len(part))],
            }
            if sites:
                edit = adapter_for(self.pipe).substituted(
                    self.pipe,
                    manifest(self.pipe, sites, swap_pooled),
                    call,
                    range(len(part)),
                    {"prompt": donors},
                )
                with edit:
                    drawn = self.pipe(**call).images
            else:
                drawn = self.pipe(**call).images
            images += [np.asarray(i) for i in drawn]
        return images

    def score(self, images: list[np.ndarray]) -> dict[str, float]:
        from PIL import Image

        read = [letters_of(self.reader.read(Image.fromarray(i))) for i in images]
        alike = Levenshtein.normalized_similarity
        squared = [
            ((a.astype(float) - b) / 255) ** 2 for a, b in zip(images, self.plain, strict=True)
        ]
        return {
            "prompt": float(
                np.mean([alike(t, letters_of(r[2])) for t, r in zip(read, self.rows, strict=True)])
            ),
            "donor": float(
                np.mean([alike(t, letters_of(r[3])) for t, r in zip(read, self.rows, strict=True)])
            ),
            "donor_exact": float(
                np.mean([t == letters_of(r[3]) for t, r in zip(read, self.rows, strict=True)])
            ),
            "mse": float(np.mean(squared)),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="sd3-tiny")
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--within", type=float, default=0.03)
    parser.add_argument("--write", action="store_true", help="write the manifest")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pipe, folder = load_pipeline(arguments.model)
    sweep = Sweep(pipe, pairs(arguments.prompts), arguments.steps)
    blocks = len(pipe.transformer.transformer_blocks)
    table: dict[str, dict[str, float]] = {"none": sweep.score(sweep.plain)}
    table["whole prompt"] = sweep.score(sweep.draw([], swap=True))
    for block in tqdm(range(blocks), desc="single blocks"):
        table[str(block)] = sweep.score(sweep.draw([block]))
    best = max(range(blocks), key=lambda b: table[str(b)]["donor"])
    candidates = [
        list(range(low, high + 1))
        for low in range(blocks)
        for high in range(low + 1, min(low + 4, blocks))
        if low <= best <= high
    ]
    for sites in tqdm(candidates, desc="sets"):
        table[",".join(map(str, sites))] = sweep.score(sweep.draw(sites))
    goal = table["whole prompt"]["donor"] - arguments.within
    sets = {k: v for k, v in table.items() if k[0].isdigit()}
    enough = [k for k, v in sets.items() if v["donor"] >= goal] or [
        max(sets, key=lambda k: sets[k]["donor"])
    ]
    chosen = min(enough, key=lambda k: (k.count(","), sets[k]["mse"]))
    pooled = sweep.draw([int(s) for s in chosen.split(",")], swap_pooled=True)
    table[f"{chosen} and pooled text"] = sweep.score(pooled)
    print(f"{'donor text read at':20s} prompt  donor  exact   MSE x 1000")
    for name, row in table.items():
        mark = "  <- chosen" if name == chosen else ""
        print(
            f"{name:20s} {row['prompt']:6.3f} {row['donor']:6.3f} {row['donor_exact']:6.3f} {row['mse'] * 1e3:10.3f}{mark}"
        )
    if arguments.write:
        write(pipe, folder, [int(s) for s in chosen.split(",")], table, arguments)


def write(
    pipe: Any, folder: Path, sites: list[int], table: dict[str, Any], arguments: argparse.Namespace
) -> None:
    model = pipe.transformer
    shared = sum(p.numel() for s in sites for p in model.transformer_blocks[s].attn.parameters())
    data = {
        "format": 1,
        "name": "sd3-tiny",
        "source": "measured",
        "model": {
            "pipeline": type(pipe).__name__,
            "denoiser": type(model).__name__,
            "config": {k: model.config[k] for k in CONFIG_FIELDS},
            "weights_digest": digest_weights(folder),
        },
        "substitution": {
            "numbering": "order of execution",
            "sites": sites,
            "modules": [f"transformer_blocks.{s}.attn" for s in sites],
            "start_step": 0,
            "share_of_parameters": round(shared / sum(p.numel() for p in model.parameters()), 4),
        },
        "call": CALL,
        "evidence": {
            "command": f"python bench/localize_sd3_tiny.py --prompts {arguments.prompts} "
            f"--within {arguments.within:g} --write",
            "date": datetime.date.today().isoformat(),
            "seed": SEED,
            "steps": arguments.steps,
            "versions": {"torch": str(torch.__version__), "diffusers": diffusers.__version__},
            "columns": "OCR similarity to the prompt's and the donor's word, donor exact, MSE",
            "table": {k: {m: round(x, 5) for m, x in v.items()} for k, v in table.items()},
        },
    }
    MANIFEST.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    main()
