"""Counted FLOPs of one SD3-medium denoiser call on the meta device: `python bench/flops.py`.

Unguarded, with the shadow text stream (one flagged row), with an extra batch row, and the paper's two
passes; at 1024 and 512 px, with and without guidance. Text: 77 CLIP + 256 T5 tokens.
"""

from __future__ import annotations

import torch
from diffusers import SD3Transformer2DModel
from torch.utils.flop_counter import FlopCounterMode

from guard.substitute.rows import FlaggedPrompt, RowMatch
from guard.substitute.shadow import ShadowText

SITE = 10  # Staniszewski et al. 2025: the block of SD3 medium that draws text
TOKENS, WIDTH = 333, 4096


def sd3_medium() -> SD3Transformer2DModel:
    with torch.device("meta"):
        return SD3Transformer2DModel(
            sample_size=128,
            patch_size=2,
            in_channels=16,
            num_layers=24,
            attention_head_dim=64,
            num_attention_heads=24,
            joint_attention_dim=WIDTH,
            caption_projection_dim=1536,
            pooled_projection_dim=2048,
            out_channels=16,
            pos_embed_max_size=192,
        ).to(torch.bfloat16)


def count(model: SD3Transformer2DModel, batch: int, side: int) -> int:
    kind = {"device": "meta", "dtype": torch.bfloat16}
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(
            hidden_states=torch.empty(batch, 16, side, side, **kind),
            timestep=torch.empty(batch, **kind),
            encoder_hidden_states=torch.empty(batch, TOKENS, WIDTH, **kind),
            pooled_projections=torch.empty(batch, 2048, **kind),
        )
    return int(counter.get_total_flops())


class _LastRowFlagged(ShadowText):
    """Meta tensors have no content to match rows or steps by: the last row is the flagged one."""

    def _time(self, timestep: torch.Tensor) -> float:
        return 0.0

    def _find(self, text: torch.Tensor) -> RowMatch:
        donor = self._flagged[0].donor
        return RowMatch(torch.tensor([len(text) - 1]), torch.arange(len(text) - 1), donor[None])


def main() -> None:
    model = sd3_medium()
    text = torch.empty(TOKENS, WIDTH, device="meta", dtype=torch.bfloat16)
    print("px    guidance  unguarded   shadow   extra row  two passes")
    for pixels in (1024, 512):
        for batch in (2, 1):
            side = pixels // 8
            base = count(model, batch, side)
            extra = count(model, batch + 1, side)
            with _LastRowFlagged(model, [SITE], [FlaggedPrompt(text, text)]):
                shadow = count(model, batch, side)
            guided = "yes" if batch == 2 else "no"
            print(
                f"{pixels:<5d} {guided:8s} {base / 1e12:6.2f} TF  {shadow / base:8.4f}x"
                f" {extra / base:8.3f}x   2.000x"
            )


if __name__ == "__main__":
    main()
