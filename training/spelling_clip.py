"""CLIP encoders that can spell: for `sdxl-tiny`, whose pictures read nothing but CLIP.

CLIP's attention is causal, so a letter's token cannot know how long the text will be. It learns which
letter it is and its place counted from the first; the length is learnt at the end of the caption,
in the pooled state, which reaches every block of the U-Net.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import processors
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, PreTrainedTokenizerFast

from inkguard.measure.world.captions import Captioned
from inkguard.measure.world.scene import LETTERS, MAX_LETTERS, first_column
from training.encoders import Attributes, attributes, captions_at, spelling, tokenize
from training.loop import Plan, run
from training.tokenizers import T5_LENGTH, t5_tokenizer

WIDTH = 64


def spelling_clip_tokenizer() -> PreTrainedTokenizerFast:
    """The T5 tokenizer's pieces; the end token also pads, as in CLIP."""
    tokenizer = t5_tokenizer()
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    tokenizer.bos_token = "</s>"
    return tokenizer


def new_spelling_clip(tokenizer: PreTrainedTokenizerFast) -> CLIPTextModelWithProjection:
    """An untrained encoder: (B, 40) ids to (B, 40, 64) and pooled (B, 64)."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=T5_LENGTH,
        projection_dim=WIDTH,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=0,
    )
    return CLIPTextModelWithProjection(config)


def places(letters: torch.Tensor, columns: torch.Tensor, said: list[Captioned]) -> torch.Tensor:
    """1 + place in the text for each token that draws a letter, else 0: int64 (B, T)."""
    first = torch.tensor([first_column(len(c.scene.text)) for c in said])[:, None]
    return torch.where(letters > 0, columns - first, 0)


def train_spelling_clip(
    tokenizer: PreTrainedTokenizerFast, work: Path, steps: int, device: torch.device, number: int
) -> CLIPTextModelWithProjection:
    """Pre-train encoder `number` (1 or 2; it is the seed), on the states that SDXL reads ([-2])."""
    torch.manual_seed(number)
    model = new_spelling_clip(tokenizer).to(device)
    heads = nn.ModuleDict(
        {
            "letter": nn.Linear(WIDTH, 1 + len(LETTERS)),
            "place": nn.Linear(WIDTH, 1 + MAX_LETTERS),
            "length": nn.Linear(WIDTH, 1 + MAX_LETTERS),
            "attributes": Attributes(WIDTH),
        }
    ).to(device)
    optimizer = torch.optim.AdamW(
        [*model.parameters(), *heads.parameters()], lr=2e-3, weight_decay=0.01
    )

    def loss_at(step: int) -> torch.Tensor:
        said = captions_at(step, seed=200 + number)
        ids = tokenize(tokenizer, [c.caption for c in said]).to(device)
        letters, columns = spelling(tokenizer, said)
        with torch.autocast(device.type, torch.bfloat16):
            output = model(input_ids=ids, output_hidden_states=True)
        states, pooled = output.hidden_states[-2].float(), output.text_embeds.float()
        length = torch.tensor([len(c.scene.text) for c in said]).to(device)
        place = places(letters, columns, said).to(device)
        spelled = F.cross_entropy(
            heads["letter"](states).transpose(1, 2), letters.to(device)
        ) + F.cross_entropy(heads["place"](states).transpose(1, 2), place)
        head = heads["attributes"]
        assert isinstance(head, Attributes)
        scene = head.loss(pooled, attributes(said).to(device)) / 4
        return spelled * 2 + scene + F.cross_entropy(heads["length"](pooled), length)

    run(
        name=f"spelling clip {number}",
        checkpoint=work / f"spelling-clip{number}.pt",
        plan=Plan(steps=steps, cooldown=0.8),
        modules={"model": model, "heads": heads},
        optimizers=[optimizer],
        loss_at=loss_at,
    )
    return model.eval()
