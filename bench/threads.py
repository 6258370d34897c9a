"""Guards over one denoiser, drawing in several threads: `python -m bench.threads [--calls 200]`.

Of every family three guards share a small random denoiser: one of a pipeline, one under a policy in
shadow mode of a second pipeline over the same parts, and a copy of the first. Threads draw toxic and
harmless prompts with them in turn, and in one more thread a bare pipeline draws with the same denoiser and
text encoders. Every picture must be, bit by bit, the one that was drawn alone before. Exits with 1 where a
guarded picture differs or a guarded call fails, and where a bare picture differs (a bare call may fail).
"""

from __future__ import annotations

import argparse
import copy
import inspect
import itertools
import queue
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import diffusers
import numpy as np
import torch

from inkguard.check.checker import Checker
from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.policy.model import Mode
from tests.draw.cases import FAMILIES, INSULT, checker, guarded_by
from tests.families.calls import HARMLESS, TOXIC, call, manifest

__all__ = ["Count", "Drawers", "stress"]

_PROMPTS = ([HARMLESS], [TOXIC], [INSULT], [HARMLESS, TOXIC])
_SEEDS = 3
_BARE = "bare"
_SWITCH_S = 1e-5
"""How long a thread runs before another may: much less than usual, so that they meet everywhere."""

Job = tuple[str, int, int]
"""Who draws, the number of the prompts, and the seed."""


@dataclass
class Count:
    """How many calls were drawn as alone, drawn otherwise, and ended in an error."""

    identical: int = 0
    different: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def calls(self) -> int:
        return self.identical + self.different + len(self.errors)


class Drawers:
    """Three guards and a bare pipeline over one denoiser, and what each draws alone."""

    def __init__(self, family: str, steps: int = 3) -> None:
        pipe = FAMILIES[family]()
        pipe.set_progress_bar_config(disable=True)
        first = guarded_by(pipe)
        # Its autoencoder is its own: Qwen-Image's keeps a state in the midst of a call, and an unguarded
        # pipeline waits for nobody.
        own = {n: copy.deepcopy(c) for n, c in pipe.components.items() if not _shared(n)}
        watching = Checker(replace(checker().policy, mode=Mode.SHADOW), None)
        second = _beside(pipe, scheduler=copy.deepcopy(pipe.scheduler))
        self.guards = {
            "guard": first,
            "other pipeline, other sites": GuardedPipeline(
                second, checker(), manifest=manifest(second, (0,)), reader=None
            ),
            "other policy": GuardedPipeline(
                copy.copy(pipe), watching, manifest=manifest(pipe, (0,)), reader=None
            ),
        }
        self._drawers: dict[str, Any] = {**self.guards, _BARE: _beside(pipe, **own)}
        self._calls = [call(pipe, prompts, num_inference_steps=steps) for prompts in _PROMPTS]
        self._alone = {
            job: self.draw(job)
            for job in itertools.product(self._drawers, range(len(_PROMPTS)), range(_SEEDS))
        }

    def draw(self, job: Job) -> Any:
        name, prompts, seed = job
        more = {"generator": torch.Generator().manual_seed(seed)}
        return self._drawers[name](**{**self._calls[prompts], **more}).images

    def as_alone(self, job: Job, pictures: Any) -> bool:
        return np.array_equal(pictures, self._alone[job])

    def differ_alone(self) -> bool:
        """Whether the guard's picture of a toxic prompt is another than the bare pipeline's."""
        return not self.as_alone((_BARE, 1, 0), self._alone["guard", 1, 0])


def _shared(component: str) -> bool:
    return component.startswith(("unet", "transformer", "text_encoder"))


def _beside(pipe: Any, **parts: Any) -> Any:
    """A second pipeline over the parts of `pipe`, but for `parts`."""
    takes = inspect.signature(type(pipe).__init__).parameters
    other = type(pipe)(**{n: c for n, c in {**pipe.components, **parts}.items() if n in takes})
    other.set_progress_bar_config(disable=True)
    if hasattr(pipe, "prompt_template_encode_start_idx"):
        other.prompt_template_encode_start_idx = pipe.prompt_template_encode_start_idx
    return other


def stress(drawers: Drawers, calls: int, threads: int, seed: int = 0) -> tuple[Count, Count]:
    """Counts of `calls` guarded calls in `threads` threads, and of the bare ones beside them."""
    chance = random.Random(seed)
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for _ in range(calls):
        jobs.put(
            (
                chance.choice([*drawers.guards]),
                chance.randrange(len(_PROMPTS)),
                chance.randrange(_SEEDS),
            )
        )
    guarded, bare, counting = Count(), Count(), threading.Lock()

    def draw(job: Job, count: Count) -> None:
        try:
            same = drawers.as_alone(job, drawers.draw(job))
        except Exception as error:
            with counting:
                count.errors.append(f"{job[0]}: {type(error).__name__}: {error}")
            return
        with counting:
            count.identical += same
            count.different += not same

    def guarded_thread() -> None:
        torch.set_num_threads(
            1
        )  # a setting of each thread; sums in another order round differently
        while True:
            try:
                job = jobs.get_nowait()
            except queue.Empty:
                return
            draw(job, guarded)

    def bare_thread() -> None:
        torch.set_num_threads(1)
        own = random.Random(seed)
        while any(worker.is_alive() for worker in workers):
            draw((_BARE, own.randrange(len(_PROMPTS)), own.randrange(_SEEDS)), bare)

    workers = [threading.Thread(target=guarded_thread) for _ in range(threads)]
    beside = threading.Thread(target=bare_thread)
    with _switching_often():
        for thread in (*workers, beside):
            thread.start()
        for thread in (*workers, beside):
            thread.join()
    return guarded, bare


@contextmanager
def _switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--families", nargs="+", default=[*FAMILIES], choices=[*FAMILIES])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    diffusers.utils.logging.set_verbosity_error()
    columns = ("family", "calls", "identical", "errors", "bare calls", "identical", "errors", "s")
    print("| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns))
    failed, messages = False, set()
    for family in arguments.families:
        drawers = Drawers(family)
        since = time.perf_counter()
        guarded, bare = stress(drawers, arguments.calls, arguments.threads)
        seconds = time.perf_counter() - since
        numbers = [n for c in (guarded, bare) for n in (c.calls, c.identical, len(c.errors))]
        row = [family, *map(str, numbers), f"{seconds:.0f}"]
        print("| " + " | ".join(row) + " |", flush=True)
        failed |= bool(guarded.errors or guarded.different or bare.different)
        failed |= not drawers.differ_alone()
        messages |= {f"{family}: {e}" for e in (*guarded.errors, *bare.errors)}
    for message in sorted(messages):
        print(message)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
