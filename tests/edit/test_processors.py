"""Which attention processors are understood."""

from __future__ import annotations

from typing import Any

import pytest
from diffusers.models import attention_processor
from diffusers.models.attention_processor import AttnProcessor2_0, SlicedAttnProcessor
from inkguard.families.supported import FAMILIES as CLASSES

from inkguard.edit.processors import UNDERSTOOD, refuse_foreign_processors
from inkguard.errors import SubstitutionError
from inkguard.families.registry import adapter_for
from tests.families.pipelines import FAMILIES, parts_of, pipeline


class Regional(AttnProcessor2_0):
    """One that could bring text of its own, made of a stock one."""


@pytest.mark.parametrize("family", FAMILIES)
def test_the_stock_processors_of_every_family_are_understood(family: str) -> None:
    """As diffusers puts them on, and as its own switches exchange them."""
    pipe = FAMILIES[family]()
    denoiser = adapter_for(pipe).denoiser(pipe)
    refuse_foreign_processors(denoiser)
    if hasattr(pipe, "unet"):
        pipe.enable_attention_slicing()
        refuse_foreign_processors(denoiser)
        denoiser.set_attn_processor(SlicedAttnProcessor(2))
        refuse_foreign_processors(denoiser)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_other_processor_is_refused_by_name(family: str) -> None:
    """Wherever it sits, self-attention included, and though it is derived from a stock one."""
    pipe = FAMILIES[family]()
    denoiser = adapter_for(pipe).denoiser(pipe)
    for name, module in denoiser.named_modules():
        own = getattr(module, "processor", None)
        if own is None:
            continue
        module.processor = Regional()
        with pytest.raises(SubstitutionError, match="Regional, which may bring text") as refused:
            refuse_foreign_processors(denoiser)
        assert str(refused.value).startswith(name)
        module.processor = own
    refuse_foreign_processors(denoiser)


def test_a_controlnets_processors_are_understood_as_well() -> None:
    """Of all families that have one."""
    for name, family in CLASSES.items():
        if family.adapter and "ControlNet" in name:
            net: Any = pipeline(name, parts_of(name)).controlnet
            refuse_foreign_processors(net)


def test_processors_with_guidance_of_their_own_are_not_in_the_list() -> None:
    """Perturbed attention splits the batch in its own way."""
    assert not [p for p in UNDERSTOOD if "PAG" in p.__name__]
    assert attention_processor.CustomDiffusionAttnProcessor not in UNDERSTOOD
