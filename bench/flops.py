"""Counted FLOPs of one denoising step of joint attention on the meta device: `python bench/flops.py`.

SD3-medium, FLUX.1-dev and Qwen-Image at 1024 and 512 px, one picture, guided and not: unguarded, with
the shadow text stream at an early and at a late site, with an extra batch row for the donor, and the
paper's two passes. SD3 is guided by one call of two rows; FLUX (true guidance) and Qwen-Image by a
call of their own, which the shadow leaves alone. Text tokens: SD3 77 + 256, FLUX 512, Qwen-Image 64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import FluxTransformer2DModel, QwenImageTransformer2DModel, SD3Transformer2DModel
from diffusers.utils import logging as diffusers_logging
from torch.utils.flop_counter import FlopCounterMode

from guard.substitute.flux import FluxShadow
from guard.substitute.joint import JointShadow
from guard.substitute.qwen import QwenShadow
from guard.substitute.rows import FlaggedPrompt, RowMatch
from guard.substitute.shadow import ShadowText

KIND: Any = {"device": "meta", "dtype": torch.bfloat16}


class _LastRowFlagged(JointShadow):
    """Meta tensors have no content to match rows or steps by: the last row is the flagged one."""

    def _time(self, timestep: torch.Tensor) -> float:
        return 0.0

    def _find(self, text: torch.Tensor) -> RowMatch:
        donor = self._flagged[0].donor
        return RowMatch(torch.tensor([len(text) - 1]), torch.arange(len(text) - 1), donor[None])


class _Sd3(_LastRowFlagged, ShadowText):
    pass


class _Flux(_LastRowFlagged, FluxShadow):
    pass


class _Qwen(_LastRowFlagged, QwenShadow):
    pass


@dataclass(frozen=True)
class Family:
    """A real configuration: text (tokens, width), call inputs by (batch, pixels), an early and late site."""

    name: str
    model: Callable[[], Any]
    shadow: type[JointShadow]
    text: tuple[int, int]
    inputs: Callable[[int, int], dict[str, Any]]
    sites: tuple[int, int]
    guided_in_one_call: bool = False


def _sd3(batch: int, pixels: int) -> dict[str, Any]:
    return {
        "hidden_states": torch.empty(batch, 16, pixels // 8, pixels // 8, **KIND),
        "pooled_projections": torch.empty(batch, 2048, **KIND),
    }


def _flux(batch: int, pixels: int) -> dict[str, Any]:
    patches = (pixels // 16) ** 2
    return {
        "hidden_states": torch.empty(batch, patches, 64, **KIND),
        "pooled_projections": torch.empty(batch, 768, **KIND),
        "guidance": torch.empty(batch, **KIND),
        "img_ids": torch.empty(patches, 3, **KIND),
        "txt_ids": torch.empty(512, 3, **KIND),
    }


def _qwen(batch: int, pixels: int) -> dict[str, Any]:
    side = pixels // 16
    return {
        "hidden_states": torch.empty(batch, side * side, 64, **KIND),
        "img_shapes": [[(1, side, side)]] * batch,
    }


FAMILIES = (
    Family(
        "SD3-medium",
        lambda: SD3Transformer2DModel(
            sample_size=128,
            patch_size=2,
            in_channels=16,
            num_layers=24,
            attention_head_dim=64,
            num_attention_heads=24,
            joint_attention_dim=4096,
            caption_projection_dim=1536,
            pooled_projection_dim=2048,
            out_channels=16,
            pos_embed_max_size=192,
        ),
        _Sd3,
        (333, 4096),
        _sd3,
        (10, 18),  # 10: Staniszewski et al. 2025, the block that draws text
        guided_in_one_call=True,
    ),
    Family(
        "FLUX.1-dev",
        lambda: FluxTransformer2DModel(guidance_embeds=True),
        _Flux,
        (512, 4096),
        _flux,
        (14, 42),
    ),
    Family("Qwen-Image", QwenImageTransformer2DModel, _Qwen, (64, 3584), _qwen, (15, 45)),
)


def count(family: Family, model: Any, batch: int, pixels: int) -> int:
    """FLOPs of one denoiser call."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(
            timestep=torch.empty(batch, **KIND),
            encoder_hidden_states=torch.empty(batch, *family.text, **KIND),
            **family.inputs(batch, pixels),
        )
    return int(counter.get_total_flops())


def count_step(family: Family, model: Any, pixels: int, guided: bool) -> tuple[int, list[int], int]:
    """FLOPs of a step: unguarded, with the shadow at each of the family's sites, with an extra row."""
    batch = 2 if guided and family.guided_in_one_call else 1
    call = count(family, model, batch, pixels)
    other = call if guided and not family.guided_in_one_call else 0
    donor = torch.empty(family.text, **KIND)
    shadows = []
    for site in family.sites:
        with family.shadow(model, [site], [FlaggedPrompt(donor, donor)]):
            shadows.append(count(family, model, batch, pixels) + other)
    return call + other, shadows, count(family, model, batch + 1, pixels) + other


def main() -> None:
    diffusers_logging.set_verbosity_error()
    print(
        "model       px    guided  unguarded   early site     late site      extra row  two passes"
    )
    for family in FAMILIES:
        with torch.device("meta"):
            model = family.model().to(torch.bfloat16)
        for pixels in (1024, 512):
            for guided in (True, False):
                base, shadows, extra = count_step(family, model, pixels, guided)
                early, late = (
                    f"{flops / base:.4f}x ({site})"
                    for flops, site in zip(shadows, family.sites, strict=True)
                )
                print(
                    f"{family.name:11s} {pixels:<5d} {'yes' if guided else 'no':6s}"
                    f" {base / 1e12:7.2f} TF  {early:14s} {late:14s} {extra / base:.3f}x     2.000x"
                )


if __name__ == "__main__":
    main()
