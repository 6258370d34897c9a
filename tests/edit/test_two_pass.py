"""The paper's two passes, on a U-Net's cross-attention, added keys, and the real sd3-tiny."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FlowMatchHeunDiscreteScheduler, UNet2DConditionModel
from torch import nn

from inkguard.edit.cross_attention import CrossText, cross_attention_sites
from inkguard.edit.rows import FlaggedPrompt
from inkguard.edit.two_pass import PatchText, RecordText, TextCache
from inkguard.errors import SubstitutionError
from inkguard.evaluate.methods import Methods
from inkguard.evaluate.options import Compared
from inkguard.evaluate.prompts import ToxicPrompt, world_prompts
from inkguard.guard import Guard

WIDTH, TOKENS = 12, 5
FAMILIES: dict[str, dict[str, Any]] = {
    "cross-attention": {
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "attention_head_dim": 4,
        "cross_attention_dim": WIDTH,
    },
    "added keys": {
        "down_block_types": ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        "attention_head_dim": 8,
        "encoder_hid_dim": WIDTH,
        "encoder_hid_dim_type": "text_proj",
        "cross_attention_dim": 16,
    },
}


@pytest.fixture(params=list(FAMILIES))
def unet(request: pytest.FixtureRequest) -> UNet2DConditionModel:
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        **FAMILIES[request.param],
    ).eval()


def every_site(unet: UNet2DConditionModel) -> dict[int, nn.Module]:
    return {n: module for n, (_, module) in enumerate(cross_attention_sites(unet))}


def sites_of(unet: UNet2DConditionModel) -> dict[int, nn.Module]:
    every = every_site(unet)
    return {n: every[n] for n in (0, 2)}


@torch.no_grad()
def steps(unet: UNet2DConditionModel, text: torch.Tensor) -> list[torch.Tensor]:
    """Three denoiser calls over an unconditional row and a prompt's."""
    picture = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    batch = torch.cat([torch.zeros(1, TOKENS, WIDTH), text[None]])
    return [unet(picture * (1 + t / 9), t, encoder_hidden_states=batch).sample for t in (9, 5, 1)]


def recorded(
    unet: UNet2DConditionModel, sites: Mapping[int, nn.Module], donor: torch.Tensor
) -> TextCache:
    cache: TextCache = {}
    with RecordText(unet, sites, [FlaggedPrompt(donor, donor)], cache):
        steps(unet, donor)
    return cache


def test_it_draws_what_one_pass_draws(unet: UNet2DConditionModel) -> None:
    """Text is the same for all layers of a U-Net, so the second picture is for nothing there."""
    own, donor = torch.randn(2, TOKENS, WIDTH)
    flagged = [FlaggedPrompt(own, donor)]
    with CrossText(unet, [0, 2], flagged):
        one = steps(unet, own)
    sites = sites_of(unet)
    cache = recorded(unet, sites, donor)
    with PatchText(unet, sites, flagged, cache):
        two = steps(unet, own)
    plain = steps(unet, own)
    for a, b, c in zip(one, two, plain, strict=True):
        assert torch.allclose(a, b, atol=1e-6)
        assert torch.equal(b[0], c[0])  # the unconditional row
        assert not torch.equal(b[1], c[1])


def test_the_prompts_own_text_changes_nothing(unet: UNet2DConditionModel) -> None:
    """With the prompt as its own donor, the output is the unguarded one."""
    own = torch.randn(TOKENS, WIDTH)
    sites = every_site(unet)
    cache = recorded(unet, sites, own)
    with PatchText(unet, sites, [FlaggedPrompt(own, own)], cache):
        patched = steps(unet, own)
    for a, b in zip(patched, steps(unet, own), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_all_sites_draw_the_donor_prompt(unet: UNet2DConditionModel) -> None:
    """As one pass at all sites does; these nets pool no text."""
    own, donor = torch.randn(2, TOKENS, WIDTH)
    flagged, sites = [FlaggedPrompt(own, donor)], every_site(unet)
    cache = recorded(unet, sites, donor)
    with PatchText(unet, sites, flagged, cache):
        two = steps(unet, own)
    with CrossText(unet, [*sites], flagged):
        one = steps(unet, own)
    for a, b, c in zip(two, one, steps(unet, donor), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
        assert torch.allclose(a, c, atol=1e-6)


def test_nothing_is_left_behind(unet: UNet2DConditionModel) -> None:
    """Also after an exception: no hook anywhere, and the same output as before."""
    own, donor = torch.randn(2, TOKENS, WIDTH)
    before, sites = steps(unet, own), sites_of(unet)
    recorded(unet, sites, donor)
    with (
        pytest.raises(SubstitutionError, match="kept nothing that fits step 0, site 0"),
        PatchText(unet, sites, [FlaggedPrompt(own, donor)], {}),
    ):
        steps(unet, own)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in unet.modules())
    assert all(map(torch.equal, before, steps(unet, own)))


def test_steps_before_the_start_are_left_alone(unet: UNet2DConditionModel) -> None:
    """With a start at step 2, only the third call is patched."""
    own, donor = torch.randn(2, TOKENS, WIDTH)
    sites = sites_of(unet)
    cache = recorded(unet, sites, donor)
    with PatchText(unet, sites, [FlaggedPrompt(own, donor)], cache, start_step=2):
        patched = steps(unet, own)
    same = list(map(torch.equal, patched, steps(unet, own)))
    assert same == [True, True, False]


def prompt_of(guard: Guard) -> ToxicPrompt:
    return world_prompts(guard.checker, 1, seed=1)[0]


def test_on_sd3_tiny_both_put_the_donors_text_there(guard: Guard) -> None:
    """The shadow text stream and the paper's two passes draw nearly the same picture."""
    assert guard.manifest is not None
    methods = Methods(guard.pipeline._pipe, guard.checker, guard.manifest, steps=8)
    prompt = prompt_of(guard)
    plain, one, two = (
        np.asarray(methods.draw(m, prompt)).astype(float)
        for m in (Compared.NONE, Compared.SUBSTITUTE, Compared.TWO_PASS)
    )
    assert ((one - two) ** 2).mean() < 0.05 * ((one - plain) ** 2).mean()


def test_on_sd3_tiny_the_prompts_own_text_changes_nothing(guard: Guard) -> None:
    """Also with a scheduler of second order, which calls the denoiser twice at one timestep."""
    assert guard.manifest is not None
    pipe, manifest = guard.pipeline._pipe, replace(guard.manifest, start_step=0, of_steps=None)
    own = prompt_of(guard)
    own = replace(own, decision=replace(own.decision, donor_prompt=own.prompt))
    before = pipe.scheduler
    try:
        for scheduler in (before, FlowMatchHeunDiscreteScheduler.from_config(before.config)):
            pipe.scheduler = scheduler
            methods = Methods(pipe, guard.checker, manifest, steps=3)
            plain, patched = (
                np.asarray(methods.draw(m, own)).astype(int)
                for m in (Compared.NONE, Compared.TWO_PASS)
            )
            assert np.abs(plain - patched).max() <= 1  # one rounding to 8 bits
    finally:
        pipe.scheduler = before
