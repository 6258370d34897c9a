"""Which attention processors are understood: those that read the text that they are handed, and no other.

A processor may do anything, so one that carries text of its own (regional prompts, say) draws
words that no check has seen. The list is explicit: stock classes of diffusers, by exact class. Whether an edit can
go through one of them is another question, which each edit answers for itself.
"""

from __future__ import annotations

from typing import Any

from diffusers.models import attention_processor
from diffusers.models.transformers import (
    sana_transformer,
    transformer_flux,
    transformer_qwenimage,
)
from torch import nn

from inkguard.edit.compiled import plain
from inkguard.edit.shadow_stream import ShadowProcessor
from inkguard.errors import SubstitutionError

__all__ = ["UNDERSTOOD", "refuse_foreign_processors"]

_NAMES = """
    AttnProcessor AttnProcessor2_0 AttnProcessorNPU FusedAttnProcessor2_0 SlicedAttnProcessor
    XFormersAttnProcessor XLAFlashAttnProcessor2_0
    AttnAddedKVProcessor AttnAddedKVProcessor2_0 SlicedAttnAddedKVProcessor
    XFormersAttnAddedKVProcessor
    IPAdapterAttnProcessor IPAdapterAttnProcessor2_0 IPAdapterXFormersAttnProcessor
    JointAttnProcessor2_0 FusedJointAttnProcessor2_0 XFormersJointAttnProcessor
    SD3IPAdapterJointAttnProcessor2_0
    SanaLinearAttnProcessor2_0 SanaMultiscaleAttnProcessor2_0 SanaAttnProcessor2_0
    FluxAttnProcessor FluxIPAdapterAttnProcessor
    QwenDoubleStreamAttnProcessor2_0
"""
_MODULES = (attention_processor, sana_transformer, transformer_flux, transformer_qwenimage)

UNDERSTOOD: frozenset[type] = frozenset(
    found
    for name in _NAMES.split()
    for module in _MODULES
    if (found := getattr(module, name, None)) is not None
)
"""The processor classes that are understood; a class derived from one of them is not."""


def refuse_foreign_processors(model: nn.Module) -> None:
    """Raise SubstitutionError for an attention processor in `model` that is not in `UNDERSTOOD`.

    While another thread draws, an edit's own processors may be in the places of those that are looked for.
    """
    for name, module in plain(model).named_modules():
        processor: Any = getattr(module, "processor", None)
        if isinstance(processor, ShadowProcessor):
            processor = processor.original
        if processor is not None and type(processor) not in UNDERSTOOD:
            raise SubstitutionError(
                f"{name or 'the model'} runs the attention processor {type(processor).__name__}, which "
                f"may bring text of its own that nobody checked: put a stock one of diffusers in "
                f"its place (set_default_attn_processor)"
            )
