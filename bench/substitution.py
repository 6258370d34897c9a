"""What substitution costs: `python bench/substitution.py [--only counts|wall] [--device cuda --dtype bfloat16]`.

1. Counted on the meta device at real configurations, native size and half of it, with and without
   guidance, one flagged row: FLOPs of a denoising step unguarded, with substitution, with an extra batch
   row for the donor, and in the paper's two passes (every call twice); and the peak of live
   tensors and weights with substitution. The encoders' cost is not in it: the donor's text is one more prompt.
2. Wall time, the kinds in turn in every round: whole pictures of the embedded models, and denoiser calls of
   mid-size models with random weights (on a GPU of SDXL and SD3 medium as published, at 1024 px).

Prints Markdown tables, and writes out/bench/substitution.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import substitution_counts
import substitution_wall
import torch
from tqdm import tqdm

from inkguard.process import own_process

OUT = Path(__file__).parent.parent / "out" / "bench"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=["counts", "wall"])
    parser.add_argument("--models", nargs="*", help="of the counted ones, by name")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    result: dict[str, object] = {}
    if arguments.only != "wall":
        rows = list(tqdm(substitution_counts.rows(arguments.models), desc="counting", unit="row"))
        result["counts"] = rows
        print(substitution_counts.HEAD)
        for r in rows:
            print(
                f"| {r['model']} | {r['pixels']} | {'yes' if r['guided'] else 'no'} | "
                f"{r['unguarded_tflops']:.2f} TF | {r['sites']} | {r['substitution']:.4f}x | "
                f"{r['memory']:.4f}x | {r['extra_row']:.3f}x | {r['two_passes']:.0f}x |"
            )
        print()
    if arguments.only != "counts":
        dtype = getattr(torch, arguments.dtype)
        timed = substitution_wall.measure(arguments.device, dtype, arguments.rounds)
        result["wall"] = timed
        print(f"{arguments.device}, {arguments.dtype}, {arguments.rounds} rounds\n")
        print(substitution_wall.table(timed))
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "substitution.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    own_process()
    main()
