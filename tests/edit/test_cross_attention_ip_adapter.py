"""The properties of substitution on U-Nets with a loaded IP-Adapter: text is exchanged, pictures stay."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from diffusers import UNet2DConditionModel

from inkguard.edit.cross_attention import CrossText, cross_attention_sites
from inkguard.edit.rows import FlaggedPrompt
from tests.edit.parity import snapshot

TOKENS, WIDTH, IMAGE = 7, 24, 10
KINDS = pytest.mark.parametrize("projected", [False, True], ids=["text as is", "text projected"])


@cache
def adapted(projected: bool) -> UNet2DConditionModel:
    """A U-Net with an adapter of random weights, put on by diffusers itself."""
    torch.manual_seed(0)
    seen = 16 if projected else WIDTH
    model = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=seen,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=4,
        **({"encoder_hid_dim": WIDTH, "encoder_hid_dim_type": "text_proj"} if projected else {}),
    ).eval()
    shapes = {
        "proj.weight": (4 * seen, IMAGE),
        "proj.bias": (4 * seen,),
        "norm.weight": (seen,),
        "norm.bias": (seen,),
    }
    keys = {
        # Published adapters number all processors; those of text have the odd numbers.
        f"{2 * n + 1}.to_{part}_ip.weight": torch.randn(attn.to_k.out_features, seen)
        for n, attn in enumerate(_in_order_of_modules(model))
        for part in ("k", "v")
    }
    model._load_ip_adapter_weights(
        [{"image_proj": {k: torch.randn(v) for k, v in shapes.items()}, "ip_adapter": keys}]
    )
    return model


def _in_order_of_modules(model: UNet2DConditionModel) -> list[torch.nn.Module]:
    modules = dict(model.named_modules())
    names = [name.removesuffix(".processor") for name in model.attn_processors]
    return [modules[name] for name in names if name.endswith("attn2")]


class Batch:
    """Two rows of text with pictures for the adapter, and donor text for the second row."""

    def __init__(self, projected: bool) -> None:
        self.model = adapted(projected)
        draw = torch.Generator().manual_seed(1)
        self.noisy = torch.randn(2, 4, 8, 8, generator=draw)
        self.text = torch.randn(2, TOKENS, WIDTH, generator=draw)
        self.donor = torch.randn(TOKENS, WIDTH, generator=draw)
        self.pictures = torch.randn(2, 1, IMAGE, generator=draw)

    def run(
        self, text: torch.Tensor | None = None, pictures: torch.Tensor | None = None
    ) -> torch.Tensor:
        with torch.no_grad():
            return self.model(
                self.noisy,
                500,
                encoder_hidden_states=self.text if text is None else text,
                added_cond_kwargs={
                    "image_embeds": [self.pictures if pictures is None else pictures]
                },
                return_dict=False,
            )[0]

    def substituted(self, donor: torch.Tensor, *sites: int) -> CrossText:
        return CrossText(self.model, sites, [FlaggedPrompt(self.text[1], donor)])

    @property
    def sites(self) -> range:
        return range(len(cross_attention_sites(self.model)))


@KINDS
def test_ones_own_text_changes_nothing(projected: bool) -> None:
    """Property 1, bit by bit."""
    batch = Batch(projected)
    with batch.substituted(batch.text[1], *batch.sites):
        edited = batch.run()
    assert torch.equal(edited, batch.run())


@KINDS
def test_only_flagged_rows_move(projected: bool) -> None:
    """Property 2, at each site alone."""
    batch = Batch(projected)
    plain = batch.run()
    for site in batch.sites:
        with batch.substituted(batch.donor, site):
            edited = batch.run()
        assert torch.equal(edited[0], plain[0])
        assert not torch.equal(edited[1], plain[1])


@KINDS
def test_all_sites_are_the_donor_prompt_with_the_pictures_of_the_call(projected: bool) -> None:
    """Property 3; other pictures give another output, so they are still read."""
    batch = Batch(projected)
    donor_text = torch.stack([batch.text[0], batch.donor])
    other = batch.pictures.flip(0)
    for pictures in (batch.pictures, other):
        with batch.substituted(batch.donor, *batch.sites):
            edited = batch.run(pictures=pictures)
        assert torch.equal(edited, batch.run(donor_text, pictures))
    assert not torch.equal(batch.run(pictures=other), batch.run())


@KINDS
def test_leaving_restores_the_model_and_its_adapter(projected: bool) -> None:
    """Property 4: no hook, processor or attribute is left."""
    batch = Batch(projected)
    before, plain = snapshot(batch.model), batch.run()
    with batch.substituted(batch.donor, 0, 1):
        assert snapshot(batch.model) != before
        batch.run()
    assert snapshot(batch.model) == before
    assert torch.equal(batch.run(), plain)
