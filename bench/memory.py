"""Memory of the guard with its embedded models: `python bench/memory.py [--requests 500]`.

Resident memory after loading, at its highest, and after every tenth of the requests (a third of them
substituted and read back by OCR, a third harmless, a third only checked). The growth that is
printed is the slope over the second half, in MB per 100 requests.
"""

from __future__ import annotations

import argparse
import resource

import numpy as np
import psutil
import torch
from tqdm import tqdm

from inkguard.guard import Guard
from inkguard.process import own_process
from inkguard.types import Request

PROMPTS = (
    'a red sign that says "IDIOT" on a blue background with a yellow star',
    'a cyan sign that says "WELCOME" on a brown background with a pink circle',
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    process = psutil.Process()
    guard = Guard.load()
    print(f"after loading: {process.memory_info().rss / 1e6:.0f} MB resident")
    resident = []
    for n in tqdm(range(arguments.requests), unit="request"):
        if n % 3 == 2:
            guard.check(f'a board that says "NUMBER {n}"')
        else:
            guard.generate(Request(prompt=PROMPTS[n % 3], seed=n, steps=arguments.steps))
        resident.append(process.memory_info().rss / 1e6)
    tenth = max(1, len(resident) // 10)
    print("MB after each tenth:", " ".join(f"{m:.0f}" for m in resident[tenth - 1 :: tenth]))
    half = np.array(resident[len(resident) // 2 :])
    slope = np.polyfit(np.arange(len(half)), half, 1)[0] * 100
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"highest: {peak:.0f} MB; growth in the second half: {slope:+.2f} MB per 100 requests")


if __name__ == "__main__":
    own_process()
    main()
