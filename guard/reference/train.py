"""`python -m guard.reference.train NAME`: make a reference model from nothing.

Stages: autoencoder, text encoders, latents, denoiser, then a stock diffusers folder; a model skips the
stages that it has no use for. Each stage is resumable: the same command goes on where the last one
stopped. Models that are trained in one --work folder share its autoencoder and latents.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import get_args

import torch
from diffusers import AutoencoderKL, IFPipeline, StableDiffusionXLPipeline

from guard.reference import autoencoder, deepfloyd, denoiser, encoders, sdxl
from guard.reference.assemble import assemble_sd3, save
from guard.reference.denoiser import Latents
from guard.reference.loop import Plan
from guard.reference.spelling_clip import spelling_clip_tokenizer, train_spelling_clip
from guard.reference.tokenizers import clip_tokenizer, t5_tokenizer
from guard.reference.unet import Predicts

STAGES = ("autoencoder", "t5", "clip", "latents", "denoiser")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m guard.reference.train", description=__doc__)
    parser.add_argument("model", choices=["sd3-tiny", "sdxl-tiny", "if-tiny"])
    parser.add_argument(
        "--work", type=Path, default=Path("out/train"), help="checkpoints and cache"
    )
    parser.add_argument("--out", type=Path, help="model folder [guard/reference/weights/MODEL]")
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="FOLDER",
        help="a finished sdxl-tiny or if-tiny: keep its encoders and autoencoder, train its U-Net on",
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--autoencoder-steps", type=int, default=4500)
    parser.add_argument("--autoencoder-from", type=Path, help="a saved autoencoder to go on from")
    parser.add_argument("--t5-steps", type=int, default=4000)
    parser.add_argument("--clip-steps", type=int, default=2400)
    parser.add_argument("--pictures", type=int, default=60_000)
    parser.add_argument("--denoiser-steps", type=int, default=20_000)
    parser.add_argument("--cooldown", type=float, default=0.3, help="share of the denoiser's steps")
    parser.add_argument(
        "--predicts",
        choices=get_args(Predicts),
        default="velocity",
        help="what if-tiny's U-Net gives",
    )
    parser.add_argument(
        "--compile", action="store_true", help="torch.compile (needs a C++ compiler)"
    )
    parser.add_argument("--only", nargs="*", choices=STAGES, default=list(STAGES))
    arguments = parser.parse_args()
    if arguments.start_from and arguments.model == "sd3-tiny":
        parser.error("--start-from goes on from a U-Net; sd3-tiny goes on from its --work folder")
    if arguments.predicts != "velocity" and arguments.model != "if-tiny":
        parser.error(f"--predicts is if-tiny's; {arguments.model} predicts velocities")
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)

    if device.type == "cpu":
        denoiser.plain_attention()
    if arguments.model == "if-tiny":
        _if(arguments, device)
        return
    vae_folder = arguments.start_from / "vae" if arguments.start_from else work / "vae"
    if "autoencoder" in arguments.only and not vae_folder.exists():
        steps, initial = arguments.autoencoder_steps, arguments.autoencoder_from
        autoencoder.train(vae_folder, work, steps, device, initial)
    train = _sd3 if arguments.model == "sd3-tiny" else _sdxl
    train(arguments, vae_folder, device)


def _latents(
    arguments: argparse.Namespace, vae_folder: Path, device: torch.device
) -> tuple[AutoencoderKL, Latents] | None:
    """The autoencoder and the cached training set; None where neither's user is asked for."""
    if not {"latents", "denoiser"} & set(arguments.only):
        return None
    vae = AutoencoderKL.from_pretrained(vae_folder).to(device).eval()
    latents = denoiser.cache_latents(vae, arguments.work / "latents.pt", arguments.pictures)
    return (vae, latents) if "denoiser" in arguments.only else None


def _out(arguments: argparse.Namespace) -> Path:
    return arguments.out or Path(__file__).parent / "weights" / arguments.model


def _if(arguments: argparse.Namespace, device: torch.device) -> None:
    initial = None
    if arguments.start_from:
        finished = IFPipeline.from_pretrained(arguments.start_from).to(device, torch.float32)
        text = deepfloyd.TextEncoder(finished.text_encoder.eval(), finished.tokenizer)
        initial = finished.unet
        found = finished.scheduler.config.prediction_type
        if arguments.predicts == "sample" and found == "v_prediction":
            deepfloyd.to_sample(initial)
    else:
        tokens = t5_tokenizer()
        steps = arguments.t5_steps if "t5" in arguments.only else 0
        t5 = encoders.train_t5(tokens, arguments.work, steps, device, name="if-t5", lowered=True)
        text = deepfloyd.TextEncoder(t5, tokens)
    if "denoiser" not in arguments.only:
        return
    plan = Plan(steps=arguments.denoiser_steps, cooldown=arguments.cooldown)
    model = deepfloyd.train(
        text,
        arguments.work,
        plan,
        device,
        compiled=arguments.compile,
        initial=initial,
        predicts=arguments.predicts,
    )
    save(deepfloyd.assemble(model, text, arguments.predicts), _out(arguments))


def _sdxl(arguments: argparse.Namespace, vae_folder: Path, device: torch.device) -> None:
    initial = None
    if arguments.start_from:
        finished = StableDiffusionXLPipeline.from_pretrained(arguments.start_from)
        text, initial = sdxl.disassemble(finished.to(device, torch.float32))
    else:
        tokens = spelling_clip_tokenizer()
        steps = arguments.clip_steps if "clip" in arguments.only else 0
        clips = [train_spelling_clip(tokens, arguments.work, steps, device, n) for n in (1, 2)]
        text = sdxl.TextEncoders(clips=(clips[0], clips[1]), tokenizer=tokens)
    found = _latents(arguments, vae_folder, device)
    if found is None:
        return
    vae, latents = found
    plan = Plan(steps=arguments.denoiser_steps, cooldown=arguments.cooldown)
    shift = vae.config.shift_factor * vae.config.scaling_factor
    model = sdxl.train(
        latents,
        shift,
        text,
        arguments.work,
        plan,
        device,
        compiled=arguments.compile,
        initial=initial,
    )
    save(sdxl.assemble(model, vae, text), _out(arguments))


def _sd3(arguments: argparse.Namespace, vae_folder: Path, device: torch.device) -> None:
    work = arguments.work
    t5_tokens, clip_tokens = t5_tokenizer(), clip_tokenizer()
    t5_steps = arguments.t5_steps if "t5" in arguments.only else 0
    clip_steps = arguments.clip_steps if "clip" in arguments.only else 0
    text = denoiser.TextEncoders(
        clips=(
            encoders.train_clip(clip_tokens, work, clip_steps, device, 1),
            encoders.train_clip(clip_tokens, work, clip_steps, device, 2),
        ),
        t5=encoders.train_t5(t5_tokens, work, t5_steps, device),
        clip_tokenizer=clip_tokens,
        t5_tokenizer=t5_tokens,
    )
    found = _latents(arguments, vae_folder, device)
    if found is None:
        return
    vae, latents = found
    plan = Plan(steps=arguments.denoiser_steps, cooldown=arguments.cooldown)
    model = denoiser.train(latents, text, work, plan, device, compiled=arguments.compile)
    save(assemble_sd3(model, vae, text), _out(arguments))


if __name__ == "__main__":
    main()
