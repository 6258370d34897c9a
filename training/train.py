"""`python -m training.train NAME`: make a reference model from nothing.

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
from diffusers import AutoencoderKL, DiffusionPipeline, IFPipeline, StableDiffusionXLPipeline

from inkguard.draw.load import load_pipeline
from inkguard.errors import ModelError
from inkguard.process import own_process
from training import autoencoder, deepfloyd, denoiser, encoders, sdxl
from training.assemble import assemble_sd3, save
from training.denoiser import Latents
from training.loop import Plan
from training.spelling_clip import spelling_clip_tokenizer, train_spelling_clip
from training.tokenizers import clip_tokenizer, t5_tokenizer
from training.unet import Predicts

STAGES = ("autoencoder", "t5", "clip", "latents", "denoiser")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("model", choices=["sd3-tiny", "sdxl-tiny", "if-tiny"])
    parser.add_argument(
        "--work", type=Path, default=Path("out/train"), help="checkpoints and cache"
    )
    parser.add_argument("--out", type=Path, help="model folder [out/models/MODEL]")
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
        help="what if-tiny's U-Net gives [as the model that it starts from, else velocity]",
    )
    parser.add_argument(
        "--compile", action="store_true", help="torch.compile (needs a C++ compiler)"
    )
    parser.add_argument("--only", nargs="*", choices=STAGES, default=list(STAGES))
    arguments = parser.parse_args()
    if arguments.start_from and arguments.model == "sd3-tiny":
        parser.error("--start-from goes on from a U-Net; sd3-tiny goes on from its --work folder")
    if arguments.predicts == "sample" and arguments.model != "if-tiny":
        parser.error(f"--predicts is if-tiny's; {arguments.model} predicts velocities")
    device = torch.device(arguments.device)
    finished = None
    if arguments.start_from:
        try:
            finished = _finished(arguments.start_from, arguments.model, device)
        except ModelError as error:
            parser.error(f"--start-from: {error}")
    torch.set_num_threads(arguments.threads)
    arguments.work.mkdir(parents=True, exist_ok=True)
    if device.type == "cpu":
        denoiser.plain_attention()
    if arguments.model == "sd3-tiny":
        _sd3(arguments, device)
    else:
        train = _if if arguments.model == "if-tiny" else _sdxl
        train(arguments, device, finished)


def _finished(folder: Path, name: str, device: torch.device) -> DiffusionPipeline:
    """The pipeline to go on from, in float32; raises ModelError where it is none of that name's."""
    pipe, folder = load_pipeline(folder, device=str(device))
    wanted = IFPipeline if name == "if-tiny" else StableDiffusionXLPipeline
    if not isinstance(pipe, wanted):
        raise ModelError(
            f"{folder} holds a {type(pipe).__name__}; {name} is a {wanted.__name__}. "
            f"Give the folder of a trained {name}"
        )
    return pipe


def _autoencoder(arguments: argparse.Namespace, device: torch.device) -> Path:
    """The folder of the --work folder's autoencoder, trained first where it is missing."""
    folder: Path = arguments.work / "vae"
    if "autoencoder" in arguments.only and not folder.exists():
        steps, initial = arguments.autoencoder_steps, arguments.autoencoder_from
        autoencoder.train(folder, arguments.work, steps, device, initial)
    return folder


def _latents(
    arguments: argparse.Namespace, vae: AutoencoderKL | Path, device: torch.device
) -> tuple[AutoencoderKL, Latents] | None:
    """The autoencoder and the cached training set; None where neither's user is asked for."""
    if not {"latents", "denoiser"} & set(arguments.only):
        return None
    if isinstance(vae, Path):
        vae = AutoencoderKL.from_pretrained(vae)
    vae = vae.to(device).eval()
    latents = denoiser.cache_latents(vae, arguments.work / "latents.pt", arguments.pictures)
    return (vae, latents) if "denoiser" in arguments.only else None


def _plan(arguments: argparse.Namespace) -> Plan:
    return Plan(steps=arguments.denoiser_steps, cooldown=arguments.cooldown)


def _out(arguments: argparse.Namespace) -> Path:
    return arguments.out or Path("out") / "models" / arguments.model


def _if(arguments: argparse.Namespace, device: torch.device, finished: IFPipeline | None) -> None:
    initial = None
    predicts: Predicts = arguments.predicts or "velocity"
    if finished is not None:
        text = deepfloyd.TextEncoder(finished.text_encoder.eval(), finished.tokenizer)
        initial, trained = finished.unet, deepfloyd.predicts_of(finished)
        predicts = arguments.predicts or trained
        if predicts != trained:
            deepfloyd.turn(initial)
    else:
        tokens = t5_tokenizer()
        steps = arguments.t5_steps if "t5" in arguments.only else 0
        t5 = encoders.train_t5(tokens, arguments.work, steps, device, name="if-t5", lowered=True)
        text = deepfloyd.TextEncoder(t5, tokens)
    if "denoiser" not in arguments.only:
        return
    model = deepfloyd.train(
        text,
        arguments.work,
        _plan(arguments),
        device,
        compiled=arguments.compile,
        initial=initial,
        predicts=predicts,
    )
    save(deepfloyd.assemble(model, text, predicts), _out(arguments))


def _sdxl(
    arguments: argparse.Namespace,
    device: torch.device,
    finished: StableDiffusionXLPipeline | None,
) -> None:
    initial = None
    if finished is not None:
        text, initial = sdxl.disassemble(finished)
        source: AutoencoderKL | Path = finished.vae
    else:
        source = _autoencoder(arguments, device)
        tokens = spelling_clip_tokenizer()
        steps = arguments.clip_steps if "clip" in arguments.only else 0
        clips = [train_spelling_clip(tokens, arguments.work, steps, device, n) for n in (1, 2)]
        text = sdxl.TextEncoders(clips=(clips[0], clips[1]), tokenizer=tokens)
    ready = _latents(arguments, source, device)
    if ready is None:
        return
    vae, latents = ready
    shift = vae.config.shift_factor * vae.config.scaling_factor
    model = sdxl.train(
        latents,
        shift,
        text,
        arguments.work,
        _plan(arguments),
        device,
        compiled=arguments.compile,
        initial=initial,
    )
    save(sdxl.assemble(model, vae, text), _out(arguments))


def _sd3(arguments: argparse.Namespace, device: torch.device) -> None:
    work = arguments.work
    source = _autoencoder(arguments, device)
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
    ready = _latents(arguments, source, device)
    if ready is None:
        return
    vae, latents = ready
    model = denoiser.train(
        latents, text, work, _plan(arguments), device, compiled=arguments.compile
    )
    save(assemble_sd3(model, vae, text), _out(arguments))


if __name__ == "__main__":
    own_process()
    main()
