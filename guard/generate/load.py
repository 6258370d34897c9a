"""Loading a pipeline: from the package, a folder, or (only when named so) a model hub."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.utils import logging as diffusers_logging

from guard.errors import ModelError

__all__ = ["DEFAULT_MODEL", "embedded_models", "load_pipeline", "model_folder"]

DEFAULT_MODEL = "sd3-tiny"


def embedded_models() -> dict[str, Path]:
    """The models in the package by name."""
    weights = Path(str(resources.files("guard.reference") / "weights"))
    return {p.parent.name: p.parent for p in sorted(weights.glob("*/model_index.json"))}


def model_folder(model: str | Path) -> Path:
    """The folder of an embedded model's name or of a local path; raises ModelError for neither."""
    embedded = embedded_models()
    if str(model) in embedded:
        return embedded[str(model)]
    folder = Path(model)
    if (folder / "model_index.json").is_file():
        return folder
    raise ModelError(
        f"{model}: neither an embedded model ({', '.join(embedded)}) nor a folder with a "
        f"model_index.json. Give the folder of a saved diffusers pipeline"
    )


def load_pipeline(
    model: str | Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[Any, Path]:
    """A diffusers pipeline and its folder: safetensors only, no remote code, no download.

    Raises ModelError where the folder cannot be loaded.
    """
    folder = model_folder(model)
    # Again here: the environment is too late where the caller imported diffusers first.
    diffusers_logging.set_verbosity_error()
    diffusers_logging.disable_progress_bar()
    try:
        pipe = DiffusionPipeline.from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{folder}: cannot be loaded: {error}") from error
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device), folder
