"""Small nets of the stock classes, with random weights."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import (
    CLIPTextConfig,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
)

WIDTH = 32


def random(module: Any) -> Any:
    """With larger weights than the initial ones, so that text moves the picture by more than rounding."""
    for parameter in module.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.15)
    return module.eval()


def new_t5(tokenizer: PreTrainedTokenizerFast, width: int = WIDTH) -> T5EncoderModel:
    config = T5Config(
        vocab_size=len(tokenizer), d_model=width, d_kv=8, d_ff=WIDTH, num_layers=1, num_heads=4
    )
    return T5EncoderModel(config).eval()


def new_vae(blocks: int, channels: int = 4, **more: Any) -> AutoencoderKL:
    """It makes latents 2 ** (blocks - 1) times smaller than the picture."""
    return AutoencoderKL(
        block_out_channels=(8,) * blocks,
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        latent_channels=channels,
        norm_num_groups=4,
        scaling_factor=1.0,
        **more,
    ).eval()


def new_clip(kind: Any, tokenizer: PreTrainedTokenizerFast) -> Any:
    """A `CLIPTextModel` or a `CLIPTextModelWithProjection`."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=tokenizer.model_max_length,
        eos_token_id=tokenizer.eos_token_id,
    )
    return kind(config).eval()


def new_unet(**more: Any) -> UNet2DConditionModel:
    """With sites in the down, mid and up blocks."""
    config = {
        "sample_size": 8,
        "block_out_channels": (8, 16),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "attention_head_dim": 4,
        "cross_attention_dim": WIDTH,
    }
    return random(UNet2DConditionModel(**{**config, **more}))
