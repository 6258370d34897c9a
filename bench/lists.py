"""What very long word lists cost: `python bench/lists.py [--terms 100000]`.

Invented words and phrases beside the shipped lists, all transforms on. Prints the time to load, the
memory that it takes (resident set, before and after), and milliseconds of the processor a prompt of 200
characters, for the shipped lists and for the long ones in turns.
"""

from __future__ import annotations

import argparse
import json
import random
import time

import numpy as np
import psutil
from detect import DATA, LENGTH, timed_prompts

from inkguard.match.matcher import Entry, Matcher
from inkguard.policy.load import load_policy
from inkguard.types import Action, Severity

SYLLABLES = [
    c + v + e for c in "bcdfghjklmnprstvwz" for v in "aeiou" for e in ("", "n", "r", "sk", "t")
]


def invented(count: int) -> list[Entry]:
    """Distinct terms of one to three words, none of them English."""
    chance = random.Random(1)
    terms: dict[str, None] = {}
    while len(terms) < count:
        words = chance.choices((1, 2, 3), (8, 1, 1))[0]
        term = " ".join(
            "".join(chance.choices(SYLLABLES, k=chance.randint(2, 4))) for _ in range(words)
        )
        terms[term] = None
    return [
        Entry(
            term=term,
            rule=f"invented.all/{n}",
            category="invented",
            severity=Severity.MILD,
            action=Action.SUBSTITUTE,
        )
        for n, term in enumerate(terms)
    ]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--terms", type=int, default=100_000)
    options.add_argument("--prompts", type=int, default=600)
    args = options.parse_args()
    policy = load_policy()
    entries = [*policy.terms, *invented(args.terms - len(policy.terms))]
    process = psutil.Process()
    before = process.memory_info().rss
    start = time.process_time()
    long = Matcher(entries, allow=policy.allow)
    seconds, grown = time.process_time() - start, process.memory_info().rss - before
    print(f"{len(entries)} terms: loaded in {seconds:.2f} s, {grown / 2**20:.0f} MiB")
    texts = timed_prompts([json.loads(line) for line in DATA.open(encoding="utf-8")], args.prompts)
    times: dict[str, list[float]] = {"shipped": [], "long": []}
    for text in texts:
        for name, lists in (("shipped", policy.matcher), ("long", long)):
            start = time.process_time()
            lists.find(text)
            times[name].append((time.process_time() - start) * 1e3)
    for name, found in times.items():
        p50, p99 = np.percentile(found, [50, 99])
        print(f"{name:8s} {LENGTH} characters: p50 {p50:.2f} ms, p99 {p99:.2f} ms")


if __name__ == "__main__":
    main()
