"""Asks one of the Python peers, in its own environment: `detect_worker.py NAME TEXTS ANSWER`.

Standard library and the peer only. Every text is asked by a call of its own, which is timed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path


def load(name: str) -> Callable[[str], bool]:
    """The peer's question, as its README shows it."""
    if name == "better-profanity":
        from better_profanity import profanity

        profanity.load_censor_words()
        return lambda text: bool(profanity.contains_profanity(text))
    from profanity_check import predict

    return lambda text: bool(predict([text])[0])


def main() -> None:
    """Answer all texts."""
    name, question, answer = sys.argv[1:]
    texts = json.loads(Path(question).read_text(encoding="utf-8"))
    asks = load(name)
    for text in texts[:20]:
        asks(text)
    hits, times = [], []
    for text in texts:
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        hits.append(asks(text))
        cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
        times.append((wall / 1e6, cpu / 1e6))
    Path(answer).write_text(json.dumps({"hits": hits, "times": times}), encoding="utf-8")


if __name__ == "__main__":
    main()
