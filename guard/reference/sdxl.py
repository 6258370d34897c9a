"""`sdxl-tiny`: a stock `StableDiffusionXLPipeline`, its U-Net trained to predict velocity.

Twelve cross-attention sites at the resolution of the letters' cells, spread over down, mid and up.
As for `sd3-tiny`, a linear head (here on the mid block) must name each cell's letter in training.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from torch import nn
from transformers import CLIPTextModelWithProjection, PreTrainedTokenizerFast

from guard.reference.denoiser import Latents
from guard.reference.encoders import tokenize
from guard.reference.loop import Plan, run
from guard.reference.spelling_clip import WIDTH as CLIP_WIDTH
from guard.reference.world import HEIGHT, LETTERS, WIDTH

BATCH = 64
_READING_WEIGHT = 0.1
TIME_IDS = (HEIGHT, WIDTH, 0, 0, HEIGHT, WIDTH)
"""Original size, crop and target size, as the pipeline makes them for our pictures."""


def new_unet() -> UNet2DConditionModel:
    """An untrained U-Net: latents (B, 8, 16, 24), text (B, 40, 128), pooled text (B, 64)."""
    return UNet2DConditionModel(
        sample_size=24,
        in_channels=8,
        out_channels=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(48, 112),
        layers_per_block=2,
        transformer_layers_per_block=2,
        cross_attention_dim=2 * CLIP_WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=16,
        projection_class_embeddings_input_dim=CLIP_WIDTH + 6 * 16,
    )


def new_scheduler() -> DDIMScheduler:
    """Velocity prediction down to zero signal (Lin et al. 2023), so that steps start from pure noise."""
    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
    )


@dataclass(frozen=True, slots=True)
class TextEncoders:
    """The frozen encoders, called the way `StableDiffusionXLPipeline` calls them."""

    clips: tuple[CLIPTextModelWithProjection, CLIPTextModelWithProjection]
    tokenizer: PreTrainedTokenizerFast

    @torch.no_grad()
    def encode(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Text states (B, 40, 128) and the second encoder's pooled state (B, 64), float32."""
        ids = tokenize(self.tokenizer, texts).to(self.clips[0].device)
        outputs = [clip(input_ids=ids, output_hidden_states=True) for clip in self.clips]
        states = torch.cat([o.hidden_states[-2] for o in outputs], -1)
        return states.float(), outputs[1].text_embeds.float()


def train(
    latents: Latents,
    shift: float,
    encoders: TextEncoders,
    work: Path,
    plan: Plan,
    device: torch.device,
    *,
    compiled: bool,
) -> UNet2DConditionModel:
    """Train and return the averaged U-Net. `shift` is added to the cached latents: SDXL uses none."""
    torch.manual_seed(0)
    model = new_unet().to(device)
    average = copy.deepcopy(model).eval()
    reader = nn.Linear(model.config.block_out_channels[-1], len(LETTERS)).to(device)
    matrices = {
        k: p for k, p in model.named_parameters() if p.ndim == 2 and "transformer_blocks" in k
    }
    rest = [p for k, p in model.named_parameters() if k not in matrices]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(matrices.values(), lr=0.02, momentum=0.95, weight_decay=0.01),
        torch.optim.AdamW(
            [*rest, *reader.parameters()], lr=1.5e-3, betas=(0.9, 0.95), weight_decay=0.0
        ),
    ]
    seen: dict[str, torch.Tensor] = {}

    def keep(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        seen["picture"] = output

    model.mid_block.register_forward_hook(keep)
    forward: Any = torch.compile(model) if compiled else model
    alphas = new_scheduler().alphas_cumprod.to(device)
    time_ids = torch.tensor([TIME_IDS], dtype=torch.float32, device=device).repeat(BATCH, 1)
    monitor: dict[str, torch.Tensor] = {}

    def loss_at(step: int) -> torch.Tensor:
        rng = np.random.default_rng((13, step))
        indices = rng.integers(0, len(latents.z), BATCH).tolist()
        z = latents.z[indices].to(device).float() + shift
        with torch.autocast(device.type, torch.bfloat16):
            states, pooled = encoders.encode([c.caption for c in latents.captions(indices, rng)])
        kept = torch.from_numpy(rng.random(BATCH) >= 0.1).to(device)
        states, pooled = states * kept[:, None, None], pooled * kept[:, None]
        noise = torch.from_numpy(rng.standard_normal(z.shape, dtype=np.float32)).to(device)
        t = torch.from_numpy(rng.integers(0, len(alphas), BATCH)).to(device)
        signal, sigma = alphas[t].sqrt().view(-1, 1, 1, 1), (1 - alphas[t]).sqrt().view(-1, 1, 1, 1)
        with torch.autocast(device.type, torch.bfloat16):
            velocity = forward(
                signal * z + sigma * noise,
                t,
                encoder_hidden_states=states,
                added_cond_kwargs={"text_embeds": pooled, "time_ids": time_ids},
                return_dict=False,
            )[0]
        flow = F.mse_loss(velocity.float(), signal * noise - sigma * z)
        cells = latents.cells[indices].to(device).long().flatten(1)
        cells = cells.masked_fill((cells < 0) | ~kept[:, None], -100)
        named = reader(seen["picture"].float().flatten(2).transpose(1, 2))
        reading = F.cross_entropy(named.transpose(1, 2), cells, ignore_index=-100)
        monitor["reading"] = reading.detach()
        return flow + _READING_WEIGHT * reading

    run(
        name="unet",
        checkpoint=work / "sdxl-unet.pt",
        plan=plan,
        modules={"model": model, "reader": reader},
        optimizers=optimizers,
        loss_at=loss_at,
        ema=average,
        ema_of=model,
        monitor=monitor,
    )
    return average


def assemble(
    model: UNet2DConditionModel, vae: AutoencoderKL, text: TextEncoders
) -> StableDiffusionXLPipeline:
    """The stock pipeline."""
    return StableDiffusionXLPipeline(
        vae=vae,
        text_encoder=text.clips[0],
        text_encoder_2=text.clips[1],
        tokenizer=text.tokenizer,
        tokenizer_2=text.tokenizer,
        unet=model,
        scheduler=new_scheduler(),
        force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    )
