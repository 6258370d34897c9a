"""Substitution in a window of steps, and with a frozen shadow: `python bench/windows.py [--prompts 24]`.

Two ways to save work, tried on the embedded models against the manifest's own start step:

- a window: the sites read the donor's text from the start step up to another one, and their own after it;
- a frozen shadow (joint attention alone): the donor's keys and values at the sites are computed in every
  n-th step and used again in the steps between, in which the shadow text stream does not run.

Prints, as a Markdown table per model, in how many pictures the donor's word and the toxic word are read, how much of
the picture outside of the sign is as it was, and the time beside the manifest's way, all interleaved per prompt.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import binomtest
from tqdm import tqdm

from inkguard.check.checker import Checker
from inkguard.draw.load import load_pipeline
from inkguard.edit.shadow_stream import Heads, ShadowStream
from inkguard.evaluate.prompts import ToxicPrompt, world_prompts
from inkguard.evaluate.score import Scorer
from inkguard.families.registry import adapter_for
from inkguard.manifests.manifest import find_manifest
from inkguard.policy.load import load_policy
from inkguard.process import own_process
from inkguard.score.detoxify import ToxicityClassifier
from inkguard.verify import default_reader

STEPS = 20
"""Of a picture."""


@dataclass(frozen=True)
class Variant:
    """`end`: the first step that is not substituted any more. `every`: the shadow runs in each n-th step."""

    name: str
    end: int = STEPS
    every: int = 1


WINDOWS = tuple(Variant(f"up to step {end}", end=end) for end in (18, 16, 14, 12, 8))
FROZEN = (Variant("shadow every 2nd step", every=2), Variant("shadow every 4th step", every=4))


def limit(edit: Any, variant: Variant) -> None:
    """End the edit's window, on the object alone."""
    begin = edit._begin_call

    def limited(*args: Any, **kwargs: Any) -> Any:
        match = begin(*args, **kwargs)
        if edit._step >= variant.end:
            match = edit._match = None
        return match

    edit._begin_call = limited


class Frozen:
    """A shadow processor that reads what the shadow was at its site in an earlier step."""

    def __init__(self, edit: ShadowStream, inner: Any, every: int) -> None:
        self._edit, self._inner, self._every = edit, inner, every
        self._kept: Heads | None = None

    def __call__(
        self,
        attn: Any,
        hidden_states: Any,
        encoder_hidden_states: Any = None,
        attention_mask: Any = None,
    ) -> Any:
        edit, inner, number = self._edit, self._inner, self._inner._index
        given = (attn, hidden_states, encoder_hidden_states, attention_mask)
        if edit.match is None:
            return inner(*given)
        read, fresh = edit.read, (edit._step - edit.start_step) % self._every == 0
        if not fresh and number not in edit._sites:
            edit._passed.append(number)
            return inner._original(*given)

        def reading(index: int, joint: Heads, tokens: int, shadow: Heads, *more: Any) -> Any:
            if fresh:
                self._kept = shadow
            return read(index, joint, tokens, self._kept, *more)

        edit.read = reading
        try:
            return inner(*given)
        finally:
            edit.read = read


def draw(
    pipe: Any, manifest: Any, prompt: ToxicPrompt, variant: Variant | None
) -> tuple[Any, float]:
    """A picture, unguarded without a variant, and its seconds."""
    call = {
        **manifest.call,
        "prompt": [prompt.prompt],
        "num_inference_steps": STEPS,
        "generator": torch.Generator().manual_seed(prompt.seed),
    }
    started = time.perf_counter()
    if variant is None:
        return pipe(**call).images[0].convert("RGB"), time.perf_counter() - started
    edit = adapter_for(pipe).substituted(
        pipe, manifest, call, [0], {"prompt": [prompt.donor_prompt]}
    )
    limit(edit, variant)
    with edit:
        if isinstance(edit, ShadowStream) and variant.every > 1:
            for _, attn in edit.sites_of(edit._transformer)[: edit._last + 1]:
                attn.processor = Frozen(edit, attn.processor, variant.every)
        image = pipe(**call).images[0].convert("RGB")
    return image, time.perf_counter() - started


def measure(name: str, checker: Checker, scorer: Scorer, count: int) -> None:
    pipe, folder = load_pipeline(name)
    pipe.set_progress_bar_config(disable=True)
    adapter = adapter_for(pipe)
    denoiser = adapter.denoiser(pipe)
    manifest = find_manifest(denoiser, adapter.site_names(pipe), folder)
    frozen = FROZEN if name == "sd3-tiny" else ()
    variants = (Variant("the manifest's way"), *WINDOWS, *frozen)
    rows: dict[str, list[tuple[bool, bool, float, float]]] = {v.name: [] for v in variants}
    for prompt in tqdm(world_prompts(checker, count, 4242), desc=name, unit="prompt"):
        plain, _ = draw(pipe, manifest, prompt, None)
        for variant in variants:
            image, seconds = draw(pipe, manifest, prompt, variant)
            got = scorer.score(prompt, image, plain)
            row = (got["donor_read"], got["readable"], got["ssim_outside"], seconds)
            rows[variant.name].append(row)
    base = np.median([row[3] for row in rows[variants[0].name]])
    print(f"\n`{name}`, sites {manifest.sites} from step {manifest.start_step}, {count} prompts\n")
    print(
        "| variant | donor read [95 %] | toxic readable | SSIM outside | time |\n|---|---|---|---|---|"
    )
    for variant in variants:
        donor, toxic, kept, seconds = zip(*rows[variant.name], strict=True)
        low, high = binomtest(sum(donor), count).proportion_ci(method="wilson")
        print(
            f"| {variant.name} | {sum(donor)}/{count} [{low:.2f}, {high:.2f}] | {sum(toxic)}/{count} | "
            f"{np.mean(kept):.3f} | {np.median(seconds) / base:.2f}x |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    classifier, reader = ToxicityClassifier.load(), default_reader()
    assert reader is not None, "the extra `ocr` is needed"
    checker = Checker(load_policy(), classifier)
    scorer = Scorer(checker, classifier, reader)
    for name in ("sd3-tiny", "sdxl-tiny"):
        measure(name, checker, scorer, arguments.prompts)


if __name__ == "__main__":
    own_process()
    main()
