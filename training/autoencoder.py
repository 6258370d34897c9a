"""The latent space of the reference models: a stock `AutoencoderKL` of 0.7 M parameters, f = 4."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from inkguard.measure.world.captions import sample_scene
from inkguard.measure.world.scene import render
from training.loop import Plan, run

BATCH = 16
_CHANNELS_LAST = torch.channels_last


def new_autoencoder() -> AutoencoderKL:
    """An untrained autoencoder: (B, 3, 64, 96) in -1..1 to (B, 8, 16, 24)."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        latent_channels=8,
        norm_num_groups=8,
        sample_size=96,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
        shift_factor=0.0,
    )


def pictures(first: int, count: int, seed: int = 42) -> torch.Tensor:
    """Pictures number `first` to `first + count` of the training set: uint8 (count, 64, 96, 3)."""
    drawn = []
    for index in range(first, first + count):
        rng = np.random.default_rng((seed, index))
        drawn.append(render(sample_scene(rng), rng).pixels)
    return torch.from_numpy(np.stack(drawn))


def to_model(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 (B, H, W, 3) to float32 (B, 3, H, W) in -1..1."""
    scaled = pixels.permute(0, 3, 1, 2).float().div(127.5).sub(1)
    return scaled.contiguous(memory_format=_CHANNELS_LAST)


def train(
    folder: Path, work: Path, steps: int, device: torch.device, initial: Path | None = None
) -> AutoencoderKL:
    """Train on L1 + L2 + a faint KL term, measure the latents' scale, save to `folder`.

    `initial` names a saved autoencoder of the same shape to go on from.
    """
    torch.manual_seed(0)
    vae = new_autoencoder()
    if initial is not None:
        vae.load_state_dict(AutoencoderKL.from_pretrained(initial).state_dict())
    vae = vae.to(device, memory_format=_CHANNELS_LAST)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=2e-3, weight_decay=0.0)

    def loss_at(step: int) -> torch.Tensor:
        torch.manual_seed(step)
        x = to_model(pictures(step * BATCH, BATCH)).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            posterior = vae.encode(x).latent_dist
            y = vae.decode(posterior.sample()).sample
        y = y.float()
        kl: torch.Tensor = posterior.kl().mean() / x[0, 0].numel()
        return (y - x).abs().mean() + ((y - x) ** 2).mean() + 1e-2 * kl

    plan = Plan(steps=steps, cooldown=0.8)
    checkpoint = work / "vae.pt"
    run(
        name="autoencoder",
        checkpoint=checkpoint,
        plan=plan,
        modules={"vae": vae},
        optimizers=[optimizer],
        loss_at=loss_at,
    )
    vae.eval()
    with torch.no_grad():
        sample = vae.encode(to_model(pictures(0, 512, seed=43)).to(device)).latent_dist.mean
    vae.register_to_config(
        scaling_factor=round(1 / sample.std().item(), 4),
        shift_factor=round(sample.mean().item(), 4),
    )
    vae.save_pretrained(folder)
    return vae
