"""Every private name of torch, diffusers and accelerate that inkguard depends on, in one file.

The libraries may rename or drop these in any release. An upgrade that breaks one is mended here, and
`tests/edit/test_diffusers_internals.py` tells which one: it holds each function against the installed versions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FunctionType
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch import nn
from torch._dynamo.eval_frame import OptimizedModule, innermost_fn

__all__ = [
    "answering_for",
    "attention_backend",
    "cleaned_caption",
    "execution_device",
    "hook_names",
    "is_fused",
    "modulated",
    "name_as_compiled_from",
    "plain",
    "runs_in_context_parallelism",
    "set_compiled_aside",
    "unpacked_latents",
]

_COMPILED_CALL = "_compiled_call_impl"
"""What `nn.Module.__call__` runs instead of the module itself, where it is set (`module.compile()` sets it)."""
_FORWARDS = ("forward", "_forward", "_old_forward", "original_forward")
"""Attributes in which torch, accelerate and diffusers keep what a module runs."""


# Pipelines


def execution_device(pipe: Any) -> torch.device:
    """Where a pipeline runs its models, also under offloading. It walks over all modules: ask once a call."""
    device: torch.device = pipe._execution_device
    return device


def cleaned_caption(pipe: Any, text: str, clean_caption: bool) -> str:
    """What the pipelines of IF, PixArt and Sana make of a caption before they tokenize it.

    It is lower-cased and stripped, and with `clean_caption` also decoded and freed of markup. The HTML
    parser has errors of its own, and they quote the text.
    """
    return str(pipe._text_preprocessing(text, clean_caption=clean_caption)[0])


def unpacked_latents(pipe: Any, latents: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Latents (B, patches, width) of FLUX or Qwen-Image as a picture for their autoencoder; sides in pixels."""
    unpacked: torch.Tensor = pipe._unpack_latents(latents, height, width, pipe.vae_scale_factor)
    return unpacked


# Denoisers


def modulated(
    block: Any, x: torch.Tensor, parameters: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens (B, T, D) under the shift and scale of a Qwen-Image block, and the gate that goes with them."""
    moved, gate = block._modulate(x, parameters)
    return moved, gate


def attention_backend(processor: Any) -> Any:
    """The backend that an attention processor of FLUX or Qwen-Image dispatches to; None for the default."""
    return processor._attention_backend


def runs_in_context_parallelism(processor: Any) -> bool:
    """Whether an attention processor splits its sequence over several devices."""
    return getattr(processor, "_parallel_config", None) is not None


def hook_names(module: nn.Module) -> list[str]:
    """The names under which diffusers has hooks on a module (caches, offloading, layer skips)."""
    return sorted(getattr(vars(module).get("_diffusers_hook"), "hooks", ()))


# Compiled modules


def plain(module: Any) -> Any:
    """What `torch.compile` made `module` of; other modules as they are."""
    return module._orig_mod if isinstance(module, OptimizedModule) else module


def name_as_compiled_from(name: str) -> str:
    """The name that a module had before `torch.compile` went around one that holds it."""
    return name.replace("._orig_mod", "")


def set_compiled_aside(module: nn.Module, undo: ExitStack) -> None:
    """Let `module` and all in it run uncompiled until `undo` is closed.

    Hooks and processors that are put on a compiled module do not fire, or get traced into graphs that
    outlive them. So nothing of an edit is ever traced: what was compiled is put back untouched, with its
    graphs. Knows `torch.compile(module)`, `module.compile()`, `compile_repeated_blocks()` and
    `module.forward = torch.compile(module.forward)`, also under the hooks of accelerate and diffusers.
    """
    for attributes in _attributes(module):
        for name, value in _uncompiled(attributes):
            undo.callback(attributes.__setitem__, name, attributes[name])
            attributes[name] = value


def _attributes(module: nn.Module) -> Iterator[dict[str, Any]]:
    """Of every module in `module`, itself included, and of the chain of its diffusers hooks."""
    for part in module.modules():
        yield vars(part)
        for link in getattr(vars(part).get("_diffusers_hook"), "_fn_refs", ()):
            yield vars(link)


def _uncompiled(attributes: dict[str, Any]) -> list[tuple[str, Any]]:
    """Names and plain values of those that lead to a compiled call."""
    # Nothing but functions: a hook's `partial` carries the marks of the compiled function that it calls.
    calls = [(n, c) for n in _FORWARDS if isinstance(c := attributes.get(n), FunctionType)]
    changed: list[tuple[str, Any]] = [(n, f) for n, c in calls if (f := innermost_fn(c)) is not c]
    if attributes.get(_COMPILED_CALL) is not None:
        changed.append((_COMPILED_CALL, None))
    return changed


@contextmanager
def answering_for(module: nn.Module, answer: Callable[..., Any]) -> Iterator[None]:
    """Within, `module(*args, **kwargs)` is `answer(call, *args, **kwargs)`, where `call` is the module's own.

    `answer` takes the place where torch keeps a module's compiled call, since that is the one place from which
    a whole call can be answered: hooks cannot keep a module from running, and a patched `forward`
    would make a compiled module compile again. A compiled call is what `call` is then, graphs and all.
    """
    attributes = vars(module)
    call = attributes.get(_COMPILED_CALL)
    own = module._call_impl if call is None else call
    with ExitStack() as undo:
        if _COMPILED_CALL in attributes:
            undo.callback(attributes.__setitem__, _COMPILED_CALL, call)
        else:
            undo.callback(attributes.pop, _COMPILED_CALL)
        attributes[_COMPILED_CALL] = lambda *args, **kwargs: answer(own, *args, **kwargs)
        yield


def is_fused(attn: Any) -> bool:
    """Whether an attention module takes its keys and values from one fused projection.

    Diffusers' older `Attention` keeps its mark `fused_projections` after `unfuse_qkv_projections()`. Its
    processor tells: only those whose names begin with Fused read the fused projection.
    """
    if isinstance(attn, Attention):
        return type(attn.processor).__name__.startswith("Fused")
    return bool(getattr(attn, "fused_projections", False))
