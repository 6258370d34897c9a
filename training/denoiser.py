"""The denoiser of `sd3-tiny`: a stock `SD3Transformer2DModel`, trained with rectified flow.

Training adds one thing to the usual loss: a linear head on the picture tokens after a middle block
must name the letter that belongs in each cell of the sign. It is thrown away afterwards. Without
it, most of the training goes by before the picture tokens find the right characters to read.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, SD3Transformer2DModel
from torch import nn
from transformers import CLIPTextModelWithProjection, PreTrainedTokenizerFast, T5EncoderModel

from inkguard.measure.world.captions import Captioned, caption, sample_scene
from inkguard.measure.world.scene import (
    CELL,
    COLUMNS,
    HEIGHT,
    LETTERS,
    WIDTH,
    layout,
    render,
    silhouette,
)
from training.autoencoder import to_model
from training.encoders import tokenize
from training.loop import Plan, run

BATCH = 64
_READING_BLOCK = 4
_READING_WEIGHT = 0.1


def new_denoiser() -> SD3Transformer2DModel:
    """An untrained denoiser: 8 joint-attention blocks of width 128, 96 picture tokens."""
    return SD3Transformer2DModel(
        sample_size=24,
        patch_size=2,
        in_channels=8,
        out_channels=8,
        num_layers=8,
        attention_head_dim=32,
        num_attention_heads=4,
        joint_attention_dim=128,
        caption_projection_dim=128,
        pooled_projection_dim=128,
        pos_embed_max_size=24,
        qk_norm="rms_norm",
    )


@dataclass(frozen=True, slots=True)
class TextEncoders:
    """The frozen encoders, called the way `StableDiffusion3Pipeline` calls them."""

    clips: tuple[CLIPTextModelWithProjection, CLIPTextModelWithProjection]
    t5: T5EncoderModel
    clip_tokenizer: PreTrainedTokenizerFast
    t5_tokenizer: PreTrainedTokenizerFast

    @torch.no_grad()
    def encode(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Joint states (B, 60, 128) and pooled states (B, 128), float32."""
        device = self.t5.device
        clip_ids = tokenize(self.clip_tokenizer, texts).to(device)
        outputs = [clip(input_ids=clip_ids, output_hidden_states=True) for clip in self.clips]
        states = self.t5(input_ids=tokenize(self.t5_tokenizer, texts).to(device)).last_hidden_state
        clip_states = torch.cat([o.hidden_states[-2] for o in outputs], -1)
        pooled = torch.cat([o.text_embeds for o in outputs], -1)
        return torch.cat([clip_states, states], 1).float(), pooled.float()


@dataclass(frozen=True, slots=True)
class Latents:
    """The cached training set. `z` is float16 (N, 8, 16, 24), scaled; `cells` int8 (N, 8, 12)."""

    z: torch.Tensor
    cells: torch.Tensor
    seed: int

    def captions(self, indices: list[int], rng: np.random.Generator) -> list[Captioned]:
        """A fresh wording for each of the pictures."""
        return [
            caption(sample_scene(np.random.default_rng((self.seed, index))), rng)
            for index in indices
        ]

    def shapes(self, indices: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Where the shapes stand: their cells, bool (B, 8, 12), and silhouettes, bool (B, 64, 96)."""
        cells, outlines = [], []
        for index in indices:
            rng = np.random.default_rng((self.seed, index))
            scene = sample_scene(rng)
            plan = layout(scene, rng)
            cells.append(plan.shape_cells())
            outlines.append(silhouette(scene.shape, plan.shape))
        return torch.from_numpy(np.stack(cells)), torch.from_numpy(np.stack(outlines))


def cache_latents(vae: AutoencoderKL, file: Path, count: int, seed: int = 42) -> Latents:
    """Render and encode `count` pictures once (about 1 GiB of float16 per million), or load them."""
    if file.exists():
        saved = torch.load(file, weights_only=True)
        return Latents(saved["z"], saved["cells"], seed)
    z = torch.empty(count, 8, HEIGHT // 4, WIDTH // 4, dtype=torch.float16)
    cells = torch.empty(count, HEIGHT // CELL, COLUMNS, dtype=torch.int8)
    for start in range(0, count, 256):
        drawn = []
        for index in range(start, min(start + 256, count)):
            rng = np.random.default_rng((seed, index))
            drawn.append(render(sample_scene(rng), rng))
        stop = start + len(drawn)
        x = to_model(torch.from_numpy(np.stack([p.pixels for p in drawn]))).to(vae.device)
        with torch.no_grad(), torch.autocast(vae.device.type, torch.bfloat16):
            mean = vae.encode(x).latent_dist.mean.float()
        scaled = (mean - vae.config.shift_factor) * vae.config.scaling_factor
        z[start:stop] = scaled.half().cpu()
        cells[start:stop] = torch.from_numpy(np.stack([p.cells for p in drawn]))
    torch.save({"z": z, "cells": cells}, file)
    return Latents(z, cells, seed)


def train(
    latents: Latents,
    encoders: TextEncoders,
    work: Path,
    plan: Plan,
    device: torch.device,
    *,
    compiled: bool,
) -> SD3Transformer2DModel:
    """Train and return the averaged denoiser.

    Muon moves the blocks' matrices and AdamW the rest; 10 % of the captions are dropped for
    guidance; times are logit-normal (Esser et al. 2024, section 3.1).
    """
    torch.manual_seed(0)
    model = new_denoiser().to(device)
    average = copy.deepcopy(model).eval()
    reader = nn.Linear(model.config.caption_projection_dim, len(LETTERS)).to(device)
    blocks = {
        k: p for k, p in model.named_parameters() if p.ndim == 2 and "transformer_blocks" in k
    }
    rest = [p for k, p in model.named_parameters() if k not in blocks] + list(reader.parameters())
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(blocks.values(), lr=0.02, momentum=0.95, weight_decay=0.01),
        torch.optim.AdamW(rest, lr=1.5e-3, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    seen: dict[str, torch.Tensor] = {}

    def keep(_module: nn.Module, _inputs: Any, output: tuple[torch.Tensor, torch.Tensor]) -> None:
        seen["picture"] = output[1]

    model.transformer_blocks[_READING_BLOCK].register_forward_hook(keep)
    forward: Any = torch.compile(model) if compiled else model
    empty, empty_pooled = encoders.encode([""])

    def loss_at(step: int) -> torch.Tensor:
        rng = np.random.default_rng((11, step))
        indices = rng.integers(0, len(latents.z), BATCH).tolist()
        z = latents.z[indices].to(device).float()
        with torch.autocast(device.type, torch.bfloat16):
            states, pooled = encoders.encode([c.caption for c in latents.captions(indices, rng)])
        dropped = torch.from_numpy(rng.random(BATCH) < 0.1).to(device)
        states = torch.where(dropped[:, None, None], empty, states)
        pooled = torch.where(dropped[:, None], empty_pooled, pooled)
        noise = torch.from_numpy(rng.standard_normal(z.shape, dtype=np.float32)).to(device)
        t = torch.sigmoid(torch.from_numpy(rng.standard_normal(BATCH, dtype=np.float32)) + 0.3).to(
            device
        )
        mixed = torch.lerp(z, noise, t.view(-1, 1, 1, 1))
        with torch.autocast(device.type, torch.bfloat16):
            velocity = forward(
                hidden_states=mixed,
                timestep=t * 1000,
                encoder_hidden_states=states,
                pooled_projections=pooled,
                return_dict=False,
            )[0]
        flow = F.mse_loss(velocity.float(), noise - z)
        cells = latents.cells[indices].to(device).long().flatten(1)
        cells = cells.masked_fill((cells < 0) | dropped[:, None], -100)
        reading = F.cross_entropy(
            reader(seen["picture"].float()).transpose(1, 2), cells, ignore_index=-100
        )
        monitor["reading"] = reading.detach()
        return flow + _READING_WEIGHT * reading

    monitor: dict[str, torch.Tensor] = {}
    run(
        name="denoiser",
        checkpoint=work / "denoiser.pt",
        plan=plan,
        modules={"model": model, "reader": reader},
        optimizers=optimizers,
        loss_at=loss_at,
        ema=average,
        ema_of=model,
        monitor=monitor,
    )
    return average


def plain_attention() -> None:
    """Replace PyTorch's fused attention, where nothing is masked, by two matrix products.

    Only for training on a CPU: their backward pass makes the whole step 1.7x faster there.
    """
    fused = F.scaled_dot_product_attention

    def attention(
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        **options: Any,
    ) -> torch.Tensor:
        if attn_mask is not None or is_causal:
            return fused(q, k, v, attn_mask, dropout_p, is_causal, **options)
        # Scaled before and not after, and without autocast's detour over float32: a twentieth of a U-Net's step.
        with torch.autocast(q.device.type, enabled=False):
            # Normed queries and keys (SD3's) are float32 under autocast; values are in its own type.
            scores = (q * q.shape[-1] ** -0.5).to(v.dtype) @ k.to(v.dtype).transpose(-1, -2)
            return scores.softmax(-1) @ v

    F.scaled_dot_product_attention = attention  # type: ignore[assignment]
