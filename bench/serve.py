"""What the wire costs: `python bench/serve.py [--checks 1500] [--pictures 40] [--cancels 2000]`.

Three parts, each side by side in one run (docs/results/summary.md):

1. CheckPrompt over gRPC against the same check in process, with 1, 16 and 64 callers: p50 and p99 in
   milliseconds. In process the callers are threads that call the checker, and, as the stricter
   baseline, tasks that go through the same batching thread that the server uses.
2. Pictures a second through the service (a process of its own) against the bare pipeline, in turns.
3. Requests of which about half are cancelled at a random time, against a sidecar in this process:
   resident memory, asyncio tasks, threads, and hooks or attributes left on the model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import torch
from tqdm import tqdm

from inkguard.check.checker import Checker, load_checker
from inkguard.client import AsyncClient, Client
from inkguard.client.process import sidecar
from inkguard.draw.load import load_pipeline
from inkguard.families.registry import adapter_for
from inkguard.manifests.manifest import find_manifest
from inkguard.process import own_process
from inkguard.types import Request
from inkguard_server.app import Sidecar
from inkguard_server.engines.check_batcher import CheckBatcher
from inkguard_server.engines.local import LocalEngine
from inkguard_server.settings import load_settings

CALLERS = (1, 16, 64)
HARMLESS = 'a cyan sign that says "WELCOME" on a brown background with a pink circle'
TOXIC = 'a red sign that says "IDIOT" on a blue background with a yellow star'


def prompts(count: int, seed: int) -> list[str]:
    """Prompts of which every fifth is toxic, no two the same."""
    base = [TOXIC if n % 5 == 0 else HARMLESS for n in range(count)]
    return [f"{p} number {seed * count + n}" for n, p in enumerate(base)]


def in_threads(checker: Checker, texts: list[str], callers: int) -> list[float]:
    """Milliseconds of each check, from `callers` threads that call the checker itself."""
    waiting, times, lock = iter(texts), [], threading.Lock()

    def call() -> None:
        while True:
            with lock:
                text = next(waiting, None)
            if text is None:
                return
            began = time.perf_counter()
            checker.check(text)
            times.append((time.perf_counter() - began) * 1e3)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


async def in_tasks(
    check: Callable[[str], Awaitable[object]], texts: list[str], callers: int
) -> list[float]:
    """Milliseconds of each check, from `callers` tasks."""
    waiting, times = iter(texts), []

    async def call() -> None:
        for text in waiting:
            began = time.perf_counter()
            await check(text)
            times.append((time.perf_counter() - began) * 1e3)

    await asyncio.gather(*(call() for _ in range(callers)))
    return times


def bench_checks(count: int, rounds: int = 3) -> dict[str, dict[str, float]]:
    checker, checks = load_checker(), CheckBatcher()
    times: dict[tuple[str, int], list[float]] = {}
    with sidecar({"decision_log": "/dev/null", "log_level": "warning"}) as addresses:

        async def remote(texts: list[str], callers: int) -> list[float]:
            async with AsyncClient(addresses.grpc) as client:
                await client.check(HARMLESS)
                return await in_tasks(client.check, texts, callers)

        async def batched(texts: list[str], callers: int) -> list[float]:
            return await in_tasks(
                lambda t: asyncio.wrap_future(checks.submit(checker, t)), texts, callers
            )

        for number in tqdm(range(rounds), desc="checks", unit="round"):
            for callers in CALLERS:
                texts = prompts(count // rounds, number)
                for name, measured in (
                    ("threads", in_threads(checker, texts, callers)),
                    ("batched", asyncio.run(batched(texts, callers))),
                    ("gRPC", asyncio.run(remote(texts, callers))),
                ):
                    times.setdefault((name, callers), []).extend(measured)
    checks.close()
    table: dict[str, dict[str, float]] = {}
    print(f"{'CheckPrompt':24s} {'p50 ms':>8s} {'p99 ms':>8s}")
    for (name, callers), values in sorted(times.items(), key=lambda x: (x[0][1], x[0][0])):
        p50, p99 = np.percentile(values, (50, 99))
        table[f"{name}, {callers}"] = {"p50": float(p50), "p99": float(p99)}
        print(f"{name + ', ' + str(callers) + ' callers':24s} {p50:8.2f} {p99:8.2f}")
    for callers in CALLERS:
        wire = table[f"gRPC, {callers}"]["p50"]
        base = {n: table[f"{n}, {callers}"]["p50"] for n in ("threads", "batched")}
        added = ", ".join(f"{wire - v:+.2f} ms against {n}" for n, v in base.items())
        print(f"added at p50 with {callers}: {added}")
    return table


def bench_pictures(count: int, steps: int, threads: int, rounds: int = 4) -> dict[str, float]:
    torch.set_num_threads(threads)
    pipe, folder = load_pipeline("sd3-tiny")
    names = adapter_for(pipe).site_names(pipe)
    call = dict(find_manifest(pipe.transformer, names, folder).call)
    each = max(1, count // rounds)
    seconds = {"bare": [0.0] * rounds, "service": [0.0] * rounds}
    settings = {"decision_log": "/dev/null", "log_level": "warning", "threads": threads}
    with sidecar(settings) as addresses, Client(addresses.grpc) as client:
        for number in tqdm(range(-1, rounds), desc="pictures", unit="round"):  # -1 warms up
            for name in seconds:
                began = time.perf_counter()
                for seed in range(each):
                    if name == "bare":
                        generator = torch.Generator().manual_seed(seed)
                        pipe(HARMLESS, num_inference_steps=steps, generator=generator, **call)
                    else:
                        client.generate(Request(prompt=HARMLESS, seed=seed, steps=steps))
                if number >= 0:
                    seconds[name][number] = time.perf_counter() - began
    rates = {name: each / float(np.median(values)) for name, values in seconds.items()}
    ratio = float(np.median(np.array(seconds["bare"]) / np.array(seconds["service"])))
    print(
        f"pictures a second: bare {rates['bare']:.2f}, service {rates['service']:.2f}; "
        f"ratio (median of {rounds} rounds) {ratio:.3f}"
    )
    return {**rates, "ratio": ratio}


def left_behind(engine: LocalEngine) -> tuple[int, int]:
    """Hooks on the denoiser's modules, and attributes of the modules and the pipeline."""
    pipe = next(iter(engine._models.values())).pipe
    modules = list(pipe.transformer.modules())
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules)
    return hooks, sum(len(vars(m)) for m in modules) + len(vars(pipe))


async def bench_cancels(count: int, steps: int, threads: int) -> dict[str, object]:
    settings = load_settings(
        **{"listen": "127.0.0.1:0", "metrics": None, "decision_log": "/dev/null"},
        **{"threads": threads, "queue_limit": 16, "log_level": "error"},
    )
    engine = LocalEngine(settings)
    server = Sidecar(settings, engine)
    await server.start()
    process, rng = psutil.Process(), random.Random(0)
    ended = {"pictures": 0, "cancelled": 0}

    async def one(client: AsyncClient, number: int) -> None:
        prompt = TOXIC if number % 10 == 0 else HARMLESS
        task = asyncio.create_task(
            client.generate(Request(prompt=prompt, seed=number, steps=steps))
        )
        if rng.random() < 0.5:
            await asyncio.wait({task}, timeout=rng.random() * 0.4)
            task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        ended["cancelled" if task.cancelled() else "pictures"] += 1

    resident = []
    async with AsyncClient(server.address, timeout=600) as client:
        await client.generate(Request(prompt=TOXIC, steps=steps))
        before = left_behind(engine)
        tasks, thread_count = len(asyncio.all_tasks()), threading.active_count()
        for start in tqdm(range(0, count, 8), desc="cancels", unit="batch of 8"):
            await asyncio.gather(*(one(client, n) for n in range(start, min(count, start + 8))))
            resident.append(process.memory_info().rss / 1e6)
        while engine.queue_status().in_flight or engine.queue_status().queued:
            await asyncio.sleep(0.05)
        after_tasks = len(asyncio.all_tasks())
    half = np.array(resident[len(resident) // 2 :])
    slope = float(np.polyfit(np.arange(len(half)), half, 1)[0] * 1000 / 8)
    result: dict[str, object] = {
        **ended,
        "tasks": [tasks, after_tasks],
        "threads": [thread_count, threading.active_count()],
        "hooks_and_attributes": [list(before), list(left_behind(engine))],
        "mb_after_tenth": resident[len(resident) // 10],
        "mb_at_end": resident[-1],
        "mb_per_1000_second_half": slope,
    }
    print(json.dumps(result))
    await server.stop(0)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checks", type=int, default=1500, help="per way and number of callers")
    parser.add_argument("--pictures", type=int, default=40)
    parser.add_argument("--cancels", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/bench"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    result = {
        "checks": bench_checks(arguments.checks) if arguments.checks else None,
        "pictures": bench_pictures(arguments.pictures, arguments.steps, arguments.threads)
        if arguments.pictures
        else None,
        "cancels": asyncio.run(bench_cancels(arguments.cancels, 4, arguments.threads))
        if arguments.cancels
        else None,
    }
    (arguments.out / "serve.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    own_process()
    main()
