"""Put trained parts together as a stock pipeline folder."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)

from training.denoiser import TextEncoders

_BYTES = 16_000_000


def assemble_sd3(
    model: SD3Transformer2DModel, vae: AutoencoderKL, text: TextEncoders
) -> StableDiffusion3Pipeline:
    """The stock pipeline of `sd3-tiny`."""
    return StableDiffusion3Pipeline(
        transformer=model,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0),
        vae=vae,
        text_encoder=text.clips[0],
        tokenizer=text.clip_tokenizer,
        text_encoder_2=text.clips[1],
        tokenizer_2=text.clip_tokenizer,
        text_encoder_3=text.t5,
        tokenizer_3=text.t5_tokenizer,
    )


def save(pipeline: DiffusionPipeline, folder: Path) -> None:
    """Save a safetensors folder with weights in float16; raises ValueError at 16 MB or more."""
    pipeline.to("cpu", torch.float16)
    pipeline.save_pretrained(folder, safe_serialization=True)
    for file in folder.rglob("*.json"):
        # diffusers notes where each part was loaded from: a folder on the machine that trained it.
        config = json.loads(file.read_text())
        if config.pop("_name_or_path", None) is not None:
            file.write_text(json.dumps(config, indent=2) + "\n")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    if size >= _BYTES:
        raise ValueError(f"{folder} holds {size} bytes; a reference model must stay under {_BYTES}")
