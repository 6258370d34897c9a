"""Wall time of substitution, the kinds in turn in every round; ratios of medians with quartiles."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from diffusers import PixArtTransformer2DModel, SD3Transformer2DModel, UNet2DConditionModel
from substitution_families import FAMILIES
from tqdm import tqdm

from inkguard.check.checker import load_checker
from inkguard.draw.load import load_pipeline
from inkguard.edit.cross_attention import CrossText
from inkguard.edit.projected_caption import CaptionText
from inkguard.edit.rows import FlaggedPrompt
from inkguard.edit.substitution import Substitution
from inkguard.evaluate.methods import Methods
from inkguard.evaluate.options import Compared
from inkguard.evaluate.prompts import world_prompts
from inkguard.families.registry import adapter_for
from inkguard.families.sd3.edit import Sd3Shadow
from inkguard.manifests.manifest import find_manifest

__all__ = ["measure", "table"]

KINDS = ("unguarded", "substitution", "an extra row", "two passes")
EMBEDDED = ("sd3-tiny", "sdxl-tiny")
STEPS = 20
GPU_STEPS = 28
Calls = dict[str, Callable[[], object]]


def measure(device: str, dtype: torch.dtype, rounds: int) -> list[dict[str, Any]]:
    """One row for each model: seconds unguarded, and each kind's ratio to it with its quartiles."""
    if torch.device(device).type != "cpu":
        return [_timed(name, calls, rounds, device) for name, calls in _published(device, dtype)]
    embedded = [_timed(f"{name}, a picture", _pictures(name), rounds, device) for name in EMBEDDED]
    middle = [_timed(name, calls, rounds, device) for name, calls in _middle(device, dtype)]
    return [*embedded, *middle]


def table(rows: list[dict[str, Any]]) -> str:
    lines = ["| model | unguarded | " + " | ".join(KINDS[1:]) + " | its peak memory |"]
    lines.append("|---|---:" * 1 + "|---:" * (len(KINDS) - 1) + "|---:|")
    for row in rows:
        cells = [
            f"{row[kind][1]:.3f}x [{row[kind][0]:.3f}, {row[kind][2]:.3f}]" for kind in KINDS[1:]
        ]
        memory = f"{row['memory']:.4f}x" if row["memory"] else "-"
        lines.append(
            f"| {row['model']} | {row['seconds']:.3f} s | " + " | ".join(cells) + f" | {memory} |"
        )
    return "\n".join(lines)


def _timed(name: str, calls: Calls, rounds: int, device: str) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {kind: [] for kind in calls}
    peaks: dict[str, int] = {}
    for number in tqdm(range(rounds + 1), desc=name, unit="round"):
        # Every other round backwards, so that none always follows the same one.
        for kind in [*calls][:: 1 if number % 2 else -1]:
            took, peak = _once(calls[kind], device)
            if number:  # the first one warms up
                seconds[kind].append(took)
            peaks[kind] = max(peaks.get(kind, 0), peak)
    base = np.array(seconds["unguarded"])
    ratios = {
        kind: np.percentile(np.array(taken) / np.median(base), [25, 50, 75]).tolist()
        for kind, taken in seconds.items()
    }
    memory = peaks["substitution"] / peaks["unguarded"] if peaks["unguarded"] else None
    return {"model": name, "seconds": float(np.median(base)), "memory": memory, **ratios}


def _once(call: Callable[[], object], device: str) -> tuple[float, int]:
    gpu = torch.device(device).type == "cuda"
    if gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    call()
    if gpu:
        torch.cuda.synchronize()
    return time.perf_counter() - started, torch.cuda.max_memory_allocated() if gpu else 0


def _pictures(name: str) -> Calls:
    """Whole pictures of an embedded model, encoders and decoder included; verification is off."""
    pipe, folder = load_pipeline(name)
    pipe.set_progress_bar_config(disable=True)
    checker = load_checker()
    checker.policy = replace(checker.policy, verify=False)
    adapter = adapter_for(pipe)
    manifest = find_manifest(adapter.denoiser(pipe), adapter.site_names(pipe), folder)
    (prompt,) = world_prompts(checker, 1, 4242)
    methods = Methods(pipe, checker, manifest, STEPS)

    def two_rows() -> object:
        generators = [torch.Generator().manual_seed(prompt.seed) for _ in range(2)]
        return pipe(
            prompt=[prompt.prompt, prompt.donor_prompt],
            num_inference_steps=STEPS,
            generator=generators,
            **manifest.call,
        )

    return {
        "unguarded": lambda: methods.draw(Compared.NONE, prompt),
        "substitution": lambda: methods.draw(Compared.SUBSTITUTE, prompt),
        "an extra row": two_rows,
        "two passes": lambda: methods.draw(Compared.TWO_PASS, prompt),
    }


def _middle(device: str, dtype: torch.dtype) -> Iterator[tuple[str, Calls]]:
    """Guided denoiser calls at 512 px of models a fraction as wide as the published ones."""
    unet = UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(128, 256, 512),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 4),
        attention_head_dim=(4, 8, 16),
        cross_attention_dim=1024,
        use_linear_projection=True,
    )
    latents = torch.randn(3, 4, 64, 64, device=device, dtype=dtype)
    yield (
        "U-Net as SDXL, 0.1 B, a call",
        _calls(
            unet, CrossText, (12,), (77, 1024), lambda n: {"sample": latents[:n]}, device, dtype
        ),
    )
    sd3 = SD3Transformer2DModel(
        sample_size=64,
        num_layers=12,
        num_attention_heads=12,
        attention_head_dim=64,
        joint_attention_dim=1024,
        caption_projection_dim=768,
        pooled_projection_dim=256,
        in_channels=16,
    )
    wide = torch.randn(3, 16, 64, 64, device=device, dtype=dtype)
    pooled = torch.randn(3, 256, device=device, dtype=dtype)
    yield (
        "SD3 of 12 blocks, a call",
        _calls(
            sd3,
            Sd3Shadow,
            (5,),
            (333, 1024),
            lambda n: {"hidden_states": wide[:n], "pooled_projections": pooled[:n]},
            device,
            dtype,
        ),
    )
    pixart = PixArtTransformer2DModel(
        sample_size=64,
        num_layers=12,
        num_attention_heads=8,
        cross_attention_dim=576,
        caption_channels=1024,
    )
    none = {"resolution": None, "aspect_ratio": None}
    yield (
        "PixArt of 12 blocks, a call",
        _calls(
            pixart,
            CaptionText,
            (6,),
            (300, 1024),
            lambda n: {"hidden_states": latents[:n], "added_cond_kwargs": none},
            device,
            dtype,
        ),
    )


def _published(device: str, dtype: torch.dtype) -> Iterator[tuple[str, Calls]]:
    """28 guided denoiser calls of SDXL and SD3 medium at 1024 px, with random weights."""
    for family in FAMILIES:
        if family.name not in ("SDXL base", "SD3 medium"):
            continue
        model = family.model()
        edit = CrossText if isinstance(model, UNet2DConditionModel) else Sd3Shadow
        sites = family.sites["paper"]
        inputs = _real(family.inputs(3, family.pixels), device, dtype)

        def arguments(rows: int, inputs: dict[str, Any] = inputs) -> dict[str, Any]:
            return _first(inputs, rows)

        calls = _calls(model, edit, sites, family.text, arguments, device, dtype, GPU_STEPS)
        yield f"{family.name}, {family.pixels} px, {GPU_STEPS} steps", calls


def _real(inputs: dict[str, Any], device: str, dtype: torch.dtype) -> dict[str, Any]:
    return {
        k: _real(v, device, dtype)
        if isinstance(v, dict)
        else torch.randn(v.shape, device=device, dtype=dtype)
        for k, v in inputs.items()
    }


def _first(inputs: dict[str, Any], rows: int) -> dict[str, Any]:
    return {k: _first(v, rows) if isinstance(v, dict) else v[:rows] for k, v in inputs.items()}


def _calls(
    model: Any,
    edit: type[Substitution],
    sites: tuple[int, ...],
    text: tuple[int, int],
    arguments: Callable[[int], dict[str, Any]],
    device: str,
    dtype: torch.dtype,
    steps: int = 1,
) -> Calls:
    """Guided calls: two rows, the second one flagged; an extra row makes three."""
    model = model.to(device, dtype).eval().requires_grad_(False)
    texts = torch.randn(3, *text, device=device, dtype=dtype)
    flagged = [FlaggedPrompt(texts[1], texts[2])]

    def call(rows: int = 2, passes: int = 1) -> None:
        for step in range(steps * passes):
            model(
                timestep=torch.full((rows,), 1000 - step, device=device),
                encoder_hidden_states=texts[:rows],
                **arguments(rows),
            )

    def substituted() -> None:
        with edit(model, sites, flagged, unconditional=texts[:1]):
            call()

    return {
        "unguarded": call,
        "substitution": substituted,
        "an extra row": lambda: call(3),
        "two passes": lambda: call(passes=2),
    }
