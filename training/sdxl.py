"""`sdxl-tiny`: a stock `StableDiffusionXLPipeline`, its U-Net trained to predict velocity.

Twelve cross-attention sites at the resolution of the letters' cells, spread over down, mid and up.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextModel, CLIPTextModelWithProjection, PreTrainedTokenizerFast

from inkguard.measure.world.scene import HEIGHT, WIDTH
from training.denoiser import Latents
from training.encoders import SHAPE_NAMES, attributes, tokenize
from training.loop import Plan
from training.schedule import shifted_cosine
from training.spelling_clip import WIDTH as CLIP_WIDTH
from training.spelling_clip import new_spelling_clip
from training.unet import BATCH, Examples, train_unet

_NOISE_SHIFT = 0.25
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
    """Velocity prediction down to zero signal (Lin et al. 2023), so that steps start from pure noise.

    The schedule is shifted as `if-tiny`'s is, for the same reason: in flat pictures a shape shows
    through noise that hides any one place of the latents.
    """
    return DDIMScheduler(
        trained_betas=shifted_cosine(_NOISE_SHIFT),
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
    initial: UNet2DConditionModel | None = None,
) -> UNet2DConditionModel:
    """Train `initial` or a new U-Net and return the averaged one.

    `shift` is added to the cached latents: SDXL uses none.
    """
    torch.manual_seed(0)
    time_ids = torch.tensor([TIME_IDS], dtype=torch.float32, device=device).repeat(BATCH, 1)

    def examples_at(_step: int, rng: np.random.Generator) -> Examples:
        indices = rng.integers(0, len(latents.z), BATCH).tolist()
        said = latents.captions(indices, rng)
        with torch.autocast(device.type, torch.bfloat16):
            states, pooled = encoders.encode([c.caption for c in said])
        captioned = torch.from_numpy(rng.random(BATCH) >= 0.1).to(device)
        shape_cells, silhouette = latents.shapes(indices)
        return Examples(
            clean=latents.z[indices].to(device).float() + shift,
            cells=latents.cells[indices].to(device).long(),
            shape_cells=shape_cells.to(device),
            silhouette=silhouette.to(device),
            named=attributes(said)[:, SHAPE_NAMES].to(device),
            text=states * captioned[:, None, None],
            captioned=captioned,
            added={"text_embeds": pooled * captioned[:, None], "time_ids": time_ids},
        )

    return train_unet(
        initial or new_unet(),
        examples_at,
        new_scheduler().alphas_cumprod,
        work / "sdxl-unet.pt",
        plan,
        device,
        muon="transformer_blocks",
        seed=13,
        compiled=compiled,
    )


def assemble(
    model: UNet2DConditionModel, vae: AutoencoderKL, text: TextEncoders
) -> StableDiffusionXLPipeline:
    """The stock pipeline, its first encoder without a projection.

    The pipeline takes the pooled text from the first encoder that projects, which must be the second.
    """
    first = CLIPTextModel(text.clips[0].config).eval()
    first.load_state_dict(text.clips[0].text_model.state_dict())
    return StableDiffusionXLPipeline(
        vae=vae,
        text_encoder=first,
        text_encoder_2=text.clips[1],
        tokenizer=text.tokenizer,
        tokenizer_2=text.tokenizer,
        unet=model,
        scheduler=new_scheduler(),
        force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    )


def disassemble(pipeline: StableDiffusionXLPipeline) -> tuple[TextEncoders, UNet2DConditionModel]:
    """The parts to go on training from; the first encoder's projection, which nothing reads, is new."""
    first = new_spelling_clip(pipeline.tokenizer)
    first.text_model.load_state_dict(pipeline.text_encoder.state_dict())
    clips = (first.eval(), pipeline.text_encoder_2.eval())
    return TextEncoders(clips=clips, tokenizer=pipeline.tokenizer), pipeline.unet
