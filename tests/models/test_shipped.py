"""The weights in the package are what the documents say they are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import pytest
from diffusers import UNet2DConditionModel

from inkguard.draw.load import embedded_models, model_folder
from inkguard.edit.cross_attention import cross_attention_sites
from training import deepfloyd, sdxl

CLASSES = {
    "sd3-tiny": "StableDiffusion3Pipeline",
    "sdxl-tiny": "StableDiffusionXLPipeline",
    "if-tiny": "IFPipeline",
}


def test_there_is_one_model_of_each_family() -> None:
    """Stock pipelines, by their folders' own word."""
    found = {
        name: json.loads((folder / "model_index.json").read_text())["_class_name"]
        for name, folder in embedded_models().items()
    }
    assert found == CLASSES


@pytest.mark.parametrize("name", CLASSES)
def test_a_model_is_small_and_holds_no_code(name: str) -> None:
    """Under 16 MB; safetensors, configuration and tokenizers alone."""
    files = [file for file in model_folder(name).rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 16_000_000
    assert {file.suffix for file in files} == {".json", ".safetensors"}


@pytest.mark.parametrize(
    ("name", "untrained"), [("sdxl-tiny", sdxl.new_unet), ("if-tiny", deepfloyd.new_unet)]
)
def test_a_unet_reads_text_in_many_places_on_its_whole_way(
    name: str, untrained: Callable[[], UNet2DConditionModel]
) -> None:
    """At least eight sites, over down, mid and up, in the U-Net that the training code makes."""
    unet = UNet2DConditionModel.from_pretrained(model_folder(name), subfolder="unet")
    sites = cross_attention_sites(unet)
    where = Counter(module.split(".")[0] for module, _ in sites)
    assert len(sites) >= 8
    assert set(where) == {"down_blocks", "mid_block", "up_blocks"}
    made = untrained()
    assert {k: p.shape for k, p in unet.named_parameters()} == {
        k: p.shape for k, p in made.named_parameters()
    }
