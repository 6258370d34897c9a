"""Text encoders of the reference models, pre-trained on what a caption says.

A denoiser that must find out at once how to read and how to draw learns slowly. So the encoders
learn first, with small heads that are thrown away: for each T5 token which letter it asks for, in
which column of the sign; at the end of the caption the colours and the shape.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
)

from inkguard.measure.world.captions import CUES, Captioned, caption, sample_scene
from inkguard.measure.world.scene import COLORS, COLUMNS, LETTERS, SHAPES, first_column
from training.loop import Plan, run
from training.tokenizers import CLIP_LENGTH, T5_LENGTH

BATCH = 128
_ATTRIBUTES = (
    ("background", tuple(COLORS)),
    ("sign", tuple(COLORS)),
    ("shape_color", tuple(COLORS)),
    ("shape", SHAPES),
)
SHAPE_NAMES = slice(2, 4)
"""Where the shape's colour and kind stand among the `attributes`."""
_IGNORE = -100


def new_t5(tokenizer: PreTrainedTokenizerFast) -> T5EncoderModel:
    """An untrained encoder: (B, T) ids to (B, T, 128)."""
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=128,
        d_kv=32,
        d_ff=384,
        num_layers=4,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        pad_token_id=0,
        eos_token_id=1,
    )
    return T5EncoderModel(config)


def new_clip(tokenizer: PreTrainedTokenizerFast) -> CLIPTextModelWithProjection:
    """An untrained encoder: (B, T) ids to (B, T, 64) and pooled (B, 64)."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=192,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=CLIP_LENGTH,
        projection_dim=64,
        bos_token_id=1,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=0,
    )
    return CLIPTextModelWithProjection(config)


def captions_at(step: int, seed: int, count: int = BATCH) -> list[Captioned]:
    """The captions of one training step, drawn from (seed, step) alone."""
    rng = np.random.default_rng((seed, step))
    return [caption(sample_scene(rng), rng) for _ in range(count)]


def tokenize(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> torch.Tensor:
    """Token ids padded to the model's length: int64 (B, `model_max_length`)."""
    batch = tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt")
    ids: torch.Tensor = batch.input_ids
    return ids


_BEFORE = "|".join(re.escape(q) for q in "\"“'«`「") + "|" + "|".join(f"{cue} " for cue in CUES)


def text_places(item: Captioned) -> dict[int, int]:
    """Where the scene's text stands in its caption: caption offset to place in the text.

    The text stands behind a quote or a cue, in one piece or with each of its words quoted.
    """
    whole = item.scene.text
    for pieces in ([whole], whole.split(" ")):
        places: dict[int, int] = {}
        begin = done = 0
        for piece in pieces:
            found = re.compile(f"(?:{_BEFORE}){re.escape(piece)}(?!\\w)", re.IGNORECASE).search(
                item.caption, begin
            )
            if not piece or not found:
                break
            first = found.end() - len(piece)
            places |= {first + n: done + n for n in range(len(piece))}
            begin, done = found.end(), done + len(piece) + 1
        else:
            return places
    return {}


def spelling(
    tokenizer: PreTrainedTokenizerFast, said: list[Captioned]
) -> tuple[torch.Tensor, torch.Tensor]:
    """For each T5 token its letter and its column in the sign, 0 where it draws nothing: int64 (B, T)."""
    encoded = tokenizer(
        [c.caption for c in said],
        padding="max_length",
        truncation=True,
        return_offsets_mapping=True,
    )
    letters = torch.zeros(len(said), T5_LENGTH, dtype=torch.long)
    columns = torch.zeros(len(said), T5_LENGTH, dtype=torch.long)
    for row, (item, offsets) in enumerate(zip(said, encoded.offset_mapping, strict=True)):
        text, places = item.scene.text, text_places(item)
        for token, (left, right) in enumerate(offsets):
            if right - left == 1 and left in places:
                place = places[left]
                letters[row, token] = 1 + LETTERS.index(text[place])
                columns[row, token] = 1 + first_column(len(text)) + place
    return letters, columns


def attributes(said: list[Captioned]) -> torch.Tensor:
    """Class indices of background, sign and shape colour and shape, -100 where unsaid: int64 (B, 4)."""
    return torch.tensor(
        [
            [
                names.index(getattr(item.scene, key)) if key in item.named else _IGNORE
                for key, names in _ATTRIBUTES
            ]
            for item in said
        ]
    )


class Attributes(nn.Module):
    """A linear head per attribute; `loss` averages their cross-entropies."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(width, len(names)) for _, names in _ATTRIBUTES)

    def loss(self, state: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        losses = [
            F.cross_entropy(head(state), truth[:, k], ignore_index=_IGNORE)
            for k, head in enumerate(self.heads)
        ]
        return torch.stack(losses).sum()


def train_t5(
    tokenizer: PreTrainedTokenizerFast,
    work: Path,
    steps: int,
    device: torch.device,
    *,
    name: str = "t5",
    lowered: bool = False,
) -> T5EncoderModel:
    """Pre-train the T5 encoder the way its pipeline calls it.

    `StableDiffusion3Pipeline` gives it no attention mask; `IFPipeline` does, and lower-cases its
    prompts (`lowered`). `name` is the checkpoint's.
    """
    torch.manual_seed(0)
    model = new_t5(tokenizer).to(device)
    width = model.config.d_model
    heads = nn.ModuleDict(
        {
            "letter": nn.Linear(width, 1 + len(LETTERS)),
            "column": nn.Linear(width, 1 + COLUMNS),
            "attributes": Attributes(width),
        }
    ).to(device)
    optimizer = torch.optim.AdamW(
        [*model.parameters(), *heads.parameters()], lr=2e-3, weight_decay=0.01
    )

    def loss_at(step: int) -> torch.Tensor:
        said = captions_at(step, seed=7)
        if lowered:
            said = [replace(c, caption=c.caption.lower()) for c in said]
        ids = tokenize(tokenizer, [c.caption for c in said]).to(device)
        letters, columns = (t.to(device) for t in spelling(tokenizer, said))
        mask = (ids != tokenizer.pad_token_id).long() if lowered else None
        with torch.autocast(device.type, torch.bfloat16):
            states = model(input_ids=ids, attention_mask=mask).last_hidden_state
        states = states.float()
        end = states[torch.arange(len(ids)), (ids == tokenizer.eos_token_id).float().argmax(1)]
        spelled = F.cross_entropy(
            heads["letter"](states).transpose(1, 2), letters
        ) + F.cross_entropy(heads["column"](states).transpose(1, 2), columns)
        head = heads["attributes"]
        assert isinstance(head, Attributes)
        return spelled * 2 + head.loss(end, attributes(said).to(device)) / 4

    run(
        name=name,
        checkpoint=work / f"{name}.pt",
        plan=Plan(steps=steps, cooldown=0.8),
        modules={"model": model, "heads": heads},
        optimizers=[optimizer],
        loss_at=loss_at,
    )
    return model.eval()


def train_clip(
    tokenizer: PreTrainedTokenizerFast, work: Path, steps: int, device: torch.device, number: int
) -> CLIPTextModelWithProjection:
    """Pre-train CLIP encoder `number` (1 or 2; it is the seed) on colours and shape."""
    torch.manual_seed(number)
    model = new_clip(tokenizer).to(device)
    head = Attributes(model.config.projection_dim).to(device)
    optimizer = torch.optim.AdamW([*model.parameters(), *head.parameters()], lr=2e-3)

    def loss_at(step: int) -> torch.Tensor:
        said = captions_at(step, seed=100 + number)
        ids = tokenize(tokenizer, [c.caption for c in said]).to(device)
        return head.loss(model(input_ids=ids).text_embeds, attributes(said).to(device))

    run(
        name=f"clip {number}",
        checkpoint=work / f"clip{number}.pt",
        plan=Plan(steps=steps, cooldown=0.8),
        modules={"model": model, "head": head},
        optimizers=[optimizer],
        loss_at=loss_at,
    )
    return model.eval()
