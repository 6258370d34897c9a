"""Loading a pipeline: from the package, a folder, or (where the caller allows it) the model hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from inkguard.errors import ModelError
from inkguard.fork import computing
from inkguard.package_data import data_folder
from inkguard.process import hub_allowed, without_bars

__all__ = ["DEFAULT_MODEL", "embedded_models", "load_pipeline", "loaded_from", "model_folder"]

DEFAULT_MODEL = "sd3-tiny"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


def embedded_models() -> dict[str, Path]:
    """The models in the package by name."""
    return {
        p.parent.name: p.parent for p in sorted(data_folder("models").glob("*/model_index.json"))
    }


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


def loaded_from(pipe: Any) -> Path | None:
    """The folder that a pipeline was loaded from; None for one from the model hub, and where it is gone."""
    name = getattr(pipe, "name_or_path", None)
    folder = Path(name) if name else None
    return folder if folder is not None and (folder / "model_index.json").is_file() else None


def load_pipeline(
    model: str | Path,
    *,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    hub: bool = False,
) -> tuple[Any, Path]:
    """A diffusers pipeline on a device, and its folder: safetensors only, no remote code.

    Nothing is downloaded unless `hub`, for people at a command line and never for a server: then a
    `model` that is neither an embedded name nor an existing folder and looks like ORG/NAME is taken
    from the model hub (or its cache). Raises ModelError where the model cannot be had or loaded, or the device is not there.
    """
    _check_device(device)
    folder = _from_hub(str(model)) if hub and _is_hub_id(model) else model_folder(model)
    with computing(), without_bars(diffusers_logging, transformers_logging):
        try:
            pipe = DiffusionPipeline.from_pretrained(
                folder, dtype=dtype, local_files_only=True, use_safetensors=True
            )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(f"{folder}: cannot be loaded: {error}") from error
        pipe.set_progress_bar_config(disable=True)
        return pipe.to(device), folder


def _check_device(device: str) -> None:
    """Raise ModelError for a device that torch cannot compute on, before a model is loaded for it."""
    try:
        torch.empty(1, device=device)
    except (AssertionError, RuntimeError, NotImplementedError) as error:
        said = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"device: torch cannot compute on {device!r} here ({said}); 'cpu' works everywhere"
        ) from None


def _is_hub_id(model: str | Path) -> bool:
    known = str(model) in embedded_models() or Path(model).exists()
    return not known and _HUB_ID.fullmatch(str(model)) is not None


def _from_hub(name: str) -> Path:
    """The cached folder of a model on the hub; raises ModelError where it cannot be had."""
    try:
        with hub_allowed():
            return Path(DiffusionPipeline.download(name, use_safetensors=True))
    except Exception as error:  # the hub's client also raises the errors of its HTTP library
        raise ModelError(
            f"{name}: no folder of that name, and it cannot be had from the model hub "
            f"({type(error).__name__}: no network, HF_HUB_OFFLINE, no such model, or no right to "
            f"read it). Give the folder of a saved diffusers pipeline"
        ) from error
