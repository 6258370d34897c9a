"""`if-tiny`: a stock `IFPipeline`, which draws pixels without an autoencoder and reads T5.

Nine sites of added-KV attention at an eighth and a quarter of the picture's size, in down, mid
and up. The pipeline lower-cases its prompts, pads them to 77 tokens, gives T5 their mask and the
U-Net none; so that is how both are trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, IFPipeline, UNet2DConditionModel
from transformers import PreTrainedTokenizerFast, T5EncoderModel

from inkguard.measure.world.captions import caption, sample_scene
from inkguard.measure.world.scene import WIDTH, render
from training.autoencoder import to_model
from training.encoders import SHAPE_NAMES, attributes
from training.loop import Plan
from training.schedule import shifted_cosine
from training.unet import BATCH, Examples, Predicts, train_unet

_NOISE_SHIFT = 0.25
LENGTH = 77
"""Tokens of a prompt in `IFPipeline`, whatever the tokenizer says."""


def new_unet() -> UNet2DConditionModel:
    """An untrained U-Net: pixels (B, 3, 64, 96) and text (B, 77, 128) to (B, 6, 64, 96).

    The second three channels are where IF learns a variance; the scheduler here ignores them.
    """
    return UNet2DConditionModel(
        sample_size=WIDTH,
        in_channels=3,
        out_channels=6,
        down_block_types=(
            "ResnetDownsampleBlock2D",
            "ResnetDownsampleBlock2D",
            "SimpleCrossAttnDownBlock2D",
            "SimpleCrossAttnDownBlock2D",
        ),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=(
            "SimpleCrossAttnUpBlock2D",
            "SimpleCrossAttnUpBlock2D",
            "ResnetUpsampleBlock2D",
            "ResnetUpsampleBlock2D",
        ),
        block_out_channels=(16, 24, 48, 128),
        layers_per_block=(1, 1, 1, 2),
        attention_head_dim=16,
        norm_num_groups=8,
        act_fn="gelu",
        cross_attention_dim=128,
        encoder_hid_dim=128,
        encoder_hid_dim_type="text_proj",
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        resnet_time_scale_shift="scale_shift",
    )


def new_scheduler(predicts: Predicts = "velocity") -> DPMSolverMultistepScheduler:
    """IF's cosine schedule, shifted, with a second-order solver, for 20 steps."""
    return DPMSolverMultistepScheduler(
        trained_betas=shifted_cosine(_NOISE_SHIFT),
        prediction_type="sample" if predicts == "sample" else "v_prediction",
        timestep_spacing="trailing",
        lambda_min_clipped=-8.0,
    )


@dataclass(frozen=True, slots=True)
class TextEncoder:
    """The frozen encoder, called the way `IFPipeline` calls it."""

    t5: T5EncoderModel
    tokenizer: PreTrainedTokenizerFast

    @torch.no_grad()
    def encode(self, texts: list[str]) -> torch.Tensor:
        """Text states (B, 77, 128), float32."""
        tokens = self.tokenizer(
            [text.lower().strip() for text in texts],
            padding="max_length",
            max_length=LENGTH,
            truncation=True,
            return_tensors="pt",
        ).to(self.t5.device)
        states: torch.Tensor = self.t5(
            tokens.input_ids, attention_mask=tokens.attention_mask
        ).last_hidden_state
        return states.float()


def train(
    encoder: TextEncoder,
    work: Path,
    plan: Plan,
    device: torch.device,
    *,
    compiled: bool,
    initial: UNet2DConditionModel | None = None,
    predicts: Predicts = "velocity",
) -> UNet2DConditionModel:
    """Train `initial` or a new U-Net on freshly rendered pictures and return the averaged one.

    A velocity holds the noise itself, which the outermost 16 channels must pass on pixel for pixel; a
    `predicts` of "sample" spares them that.
    """
    torch.manual_seed(0)
    empty = encoder.encode([""])

    def examples_at(_step: int, rng: np.random.Generator) -> Examples:
        scenes = [sample_scene(rng) for _ in range(BATCH)]
        drawn = [render(scene, rng) for scene in scenes]
        said = [caption(scene, rng) for scene in scenes]
        with torch.autocast(device.type, torch.bfloat16):
            states = encoder.encode([c.caption for c in said])
        captioned = torch.from_numpy(rng.random(BATCH) >= 0.1).to(device)
        return Examples(
            clean=to_model(torch.from_numpy(np.stack([p.pixels for p in drawn]))).to(device),
            cells=torch.from_numpy(np.stack([p.cells for p in drawn])).to(device),
            shape_cells=torch.from_numpy(np.stack([p.shape_cells for p in drawn])).to(device),
            silhouette=torch.from_numpy(np.stack([p.silhouette for p in drawn])).to(device),
            named=attributes(said)[:, SHAPE_NAMES].to(device),
            text=torch.where(captioned[:, None, None], states, empty),
            captioned=captioned,
        )

    return train_unet(
        initial or new_unet(),
        examples_at,
        new_scheduler().alphas_cumprod,
        work / f"if-unet-{predicts}.pt",
        plan,
        device,
        muon="attentions",
        seed=17,
        compiled=compiled,
        predicts=predicts,
    )


def predicts_of(pipeline: IFPipeline) -> Predicts:
    """What a finished model's U-Net was trained to give, by its scheduler."""
    return "sample" if pipeline.scheduler.config.prediction_type == "sample" else "velocity"


def turn(model: UNet2DConditionModel) -> None:
    """Let a U-Net that predicts velocities start out as one that predicts samples, or back, in place.

    In pure noise the one is the other with its sign turned; training learns the rest.
    """
    with torch.no_grad():
        model.conv_out.weight.neg_()
        model.conv_out.bias.neg_()


def assemble(
    model: UNet2DConditionModel, text: TextEncoder, predicts: Predicts = "velocity"
) -> IFPipeline:
    """The stock pipeline; our world needs no safety checker."""
    return IFPipeline(
        tokenizer=text.tokenizer,
        text_encoder=text.t5,
        unet=model,
        scheduler=new_scheduler(predicts),
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )
