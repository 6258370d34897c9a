"""Which attention processors are understood: those that read the text that they are handed, and no other.

A processor may do anything, so one that carries text of its own (regional prompts, say) draws
words that no check has seen. The list is explicit: stock classes of diffusers, by exact class. Whether an edit can
go through one of them is another question, which each edit answers for itself.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from diffusers.models import attention_processor
from torch import nn

from inkguard.edit.diffusers_internals import plain
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
"""

UNDERSTOOD: frozenset[type] = frozenset(
    found
    for name in _NAMES.split()
    if (found := getattr(attention_processor, name, None)) is not None
)
"""The processor classes that are understood in every family; a class derived from one of them is not."""


def refuse_foreign_processors(model: nn.Module, own: Collection[type] = ()) -> None:
    """Raise SubstitutionError for an attention processor in `model` that is not understood.

    Understood are those in `UNDERSTOOD` and in `own`, which are the model family's.

    While another thread draws, an edit's own processors may be in the places of those that are looked for.
    """
    for name, module in plain(model).named_modules():
        processor: Any = getattr(module, "processor", None)
        if isinstance(processor, ShadowProcessor):
            processor = processor.original
        if processor is not None and type(processor) not in {*UNDERSTOOD, *own}:
            raise SubstitutionError(
                f"{name or 'the model'} runs the attention processor {type(processor).__name__}, which "
                f"may bring text of its own that nobody checked: put a stock one of diffusers in "
                f"its place (set_default_attn_processor)"
            )
