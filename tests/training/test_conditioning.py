"""The stock pipelines encode a caption exactly as training did."""

from __future__ import annotations

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline

from inkguard.draw.load import model_folder
from training import deepfloyd, sdxl
from training.encoders import new_t5
from training.spelling_clip import new_spelling_clip, spelling_clip_tokenizer
from training.tokenizers import t5_tokenizer

CAPTIONS = [
    'a red sign that says "HELLO" on a blue background with a yellow star',
    'A pink sign, "TWO WORDS", and a green circle',
]


def _assert_encodes_alike(text: sdxl.TextEncoders, pipe: StableDiffusionXLPipeline) -> None:
    states, pooled = text.encode(CAPTIONS)
    with torch.no_grad():
        found, _, found_pooled, _ = pipe.encode_prompt(
            CAPTIONS, device="cpu", do_classifier_free_guidance=False
        )
    assert torch.allclose(found, states, atol=1e-5)
    assert torch.allclose(found_pooled, pooled, atol=1e-5)


def test_sdxl_tiny_reads_both_encoders_and_pools_the_second() -> None:
    """Text states are both encoders', side by side; the pooled text is the second one's."""
    torch.manual_seed(0)
    tokenizer = spelling_clip_tokenizer()
    clips = tuple(new_spelling_clip(tokenizer).eval() for _ in range(2))
    text = sdxl.TextEncoders(clips=(clips[0], clips[1]), tokenizer=tokenizer)
    vae = AutoencoderKL.from_pretrained(model_folder("sd3-tiny") / "vae")
    pipe = sdxl.assemble(sdxl.new_unet(), vae, text)
    _assert_encodes_alike(text, pipe)


def test_a_finished_sdxl_tiny_is_trained_on_with_the_encoders_that_it_has() -> None:
    """Taken apart, the shipped pipeline encodes as it does itself, and gives its own U-Net."""
    pipe = StableDiffusionXLPipeline.from_pretrained(model_folder("sdxl-tiny")).to(
        dtype=torch.float32
    )
    text, unet = sdxl.disassemble(pipe)
    _assert_encodes_alike(text, pipe)
    assert unet is pipe.unet


def test_if_tiny_reads_its_captions_in_small_letters() -> None:
    """Text states of the captions as `IFPipeline` lower-cases and pads them."""
    pytest.importorskip("ftfy")
    torch.manual_seed(0)
    tokenizer = t5_tokenizer()
    text = deepfloyd.TextEncoder(new_t5(tokenizer).eval(), tokenizer)
    pipe = deepfloyd.assemble(deepfloyd.new_unet(), text)
    with torch.no_grad():
        found, _ = pipe.encode_prompt(CAPTIONS, do_classifier_free_guidance=False, device="cpu")
    assert torch.allclose(found, text.encode(CAPTIONS), atol=1e-5)
