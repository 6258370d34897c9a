"""The manifest that a run writes, with what it measured as evidence."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from inkguard.families.registry import family_of
from inkguard.localize.plan import RULE, LocalizationResult
from inkguard.localize.sweep import Sweep, SweepScore
from inkguard.manifests.manifest import NUMBERING, digest_config

__all__ = ["manifest_data", "versions", "write_manifest"]

_SHOWN = {
    "prompt": "source_similarity",
    "prompt_exact": "source_exact",
    "donor": "donor_similarity",
    "donor_exact": "donor_exact",
    "donor_f1": "donor_f1",
    "mse": "mse",
    "mse_outside": "mse_outside",
    "ssim_inside": "ssim_inside",
    "ssim_outside": "ssim_outside",
    "psnr_outside": "psnr_outside",
}


def versions() -> dict[str, str]:
    """Of what a result depends on, where it is installed."""
    found = {}
    for name in ("inkguard", "torch", "diffusers", "transformers", "rapidocr-onnxruntime"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def manifest_data(
    result: LocalizationResult,
    sweep: Sweep,
    pipe: Any,
    *,
    name: str,
    weights_digest: str | None,
    call: Mapping[str, Any],
    command: str,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """A manifest in the format of `inkguard.manifests.manifest`, as plain data."""
    denoiser, final = sweep.drawer.denoiser, result.final
    config = {k: denoiser.config[k] for k in family_of(pipe).config if k in denoiser.config}
    substitution: dict[str, Any] = {
        "numbering": NUMBERING,
        "sites": list(final.sites),
        "modules": [result.sites[n].module for n in final.sites],
        "start_step": final.start_step,
        "of_steps": sweep.drawer.steps,
        "share_of_parameters": round(result.share(final.sites), 6),
    }
    if final.swap_pooled:
        substitution["swap_pooled"] = True
    rule = RULE.format(within=result.search.within)
    return {
        "format": 1,
        "name": name,
        "source": "measured",
        "model": {
            "pipeline": type(pipe).__name__,
            "denoiser": type(denoiser).__name__,
            # Through JSON: YAML's safe dump has no tuples.
            "config": json.loads(json.dumps(config)),
            "config_digest": digest_config(denoiser),
            "weights_digest": weights_digest,
        },
        "substitution": substitution,
        "call": dict(call),
        "evidence": {
            "command": command,
            "date": datetime.date.today().isoformat(),
            **settings,
            "versions": versions(),
            "rule": "chosen by hand (--sites)" if result.search.override else rule,
            "reached": result.choice.reached,
            "columns": "OCR similarity (1 - normalised Levenshtein distance), share of exact texts "
            "and character F1 of the prompt's and the donor's text; picture against the unpatched "
            "one, in all, inside and outside of the text region",
            "by_length": {
                kind: _rounded(sweep.score(final, equal_length=equal))
                for kind, equal in (("equal", True), ("different", False))
            },
            "table": {v.key: _rounded(s) for v, s in result.scores.items()},
        },
    }


def write_manifest(path: Path, data: Mapping[str, Any]) -> None:
    """Write it as YAML; raises OSError, and leaves an earlier one as it was then."""
    part = path.with_suffix(".part")
    part.write_text(yaml.safe_dump(dict(data), sort_keys=False, width=100), encoding="utf-8")
    part.replace(path)


def _rounded(score: SweepScore) -> dict[str, float]:
    return {
        name: round(score[key], 5) for name, key in _SHOWN.items() if not math.isnan(score[key])
    }
