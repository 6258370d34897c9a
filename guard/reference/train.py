"""`python -m guard.reference.train sd3-tiny`: make a reference model from nothing.

Stages: autoencoder, text encoders, latents, denoiser, then a stock diffusers folder. Each stage
is resumable: the same command goes on where the last one stopped.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from guard.reference import autoencoder, denoiser, encoders
from guard.reference.assemble import save_pipeline
from guard.reference.loop import Plan
from guard.reference.tokenizers import clip_tokenizer, t5_tokenizer

STAGES = ("autoencoder", "t5", "clip", "latents", "denoiser")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m guard.reference.train", description=__doc__)
    parser.add_argument("model", choices=["sd3-tiny"])
    parser.add_argument(
        "--work", type=Path, default=Path("out/train"), help="checkpoints and cache"
    )
    parser.add_argument("--out", type=Path, help="model folder [guard/reference/weights/MODEL]")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--autoencoder-steps", type=int, default=4500)
    parser.add_argument("--autoencoder-from", type=Path, help="a saved autoencoder to go on from")
    parser.add_argument("--t5-steps", type=int, default=4000)
    parser.add_argument("--clip-steps", type=int, default=1200)
    parser.add_argument("--pictures", type=int, default=60_000)
    parser.add_argument("--denoiser-steps", type=int, default=20_000)
    parser.add_argument("--cooldown", type=float, default=0.3, help="share of the denoiser's steps")
    parser.add_argument(
        "--compile", action="store_true", help="torch.compile (needs a C++ compiler)"
    )
    parser.add_argument("--only", nargs="*", choices=STAGES, default=list(STAGES))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)

    vae_folder = work / "vae"
    if "autoencoder" in arguments.only and not vae_folder.exists():
        steps, initial = arguments.autoencoder_steps, arguments.autoencoder_from
        autoencoder.train(vae_folder, work, steps, device, initial)
    t5_tokens, clip_tokens = t5_tokenizer(), clip_tokenizer()
    t5_steps = arguments.t5_steps if "t5" in arguments.only else 0
    clip_steps = arguments.clip_steps if "clip" in arguments.only else 0
    if device.type == "cpu":
        denoiser.plain_attention()
    text = denoiser.TextEncoders(
        clips=(
            encoders.train_clip(clip_tokens, work, clip_steps, device, 1),
            encoders.train_clip(clip_tokens, work, clip_steps, device, 2),
        ),
        t5=encoders.train_t5(t5_tokens, work, t5_steps, device),
        clip_tokenizer=clip_tokens,
        t5_tokenizer=t5_tokens,
    )
    if not {"latents", "denoiser"} & set(arguments.only):
        return
    vae = AutoencoderKL.from_pretrained(vae_folder).to(device).eval()
    latents = denoiser.cache_latents(vae, work / "latents.pt", arguments.pictures)
    if "denoiser" not in arguments.only:
        return
    plan = Plan(steps=arguments.denoiser_steps, cooldown=arguments.cooldown)
    model = denoiser.train(latents, text, work, plan, device, compiled=arguments.compile)
    out = arguments.out or Path(__file__).parent / "weights" / arguments.model
    save_pipeline(model, vae, text, out)


if __name__ == "__main__":
    main()
