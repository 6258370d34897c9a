"""Each private name of diffusers, accelerate and torch that inkguard reaches for is still there and does what it did."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from typing import Any

import accelerate
import pytest
import torch
from accelerate.hooks import ModelHook as AccelerateHook
from accelerate.hooks import add_hook_to_module
from diffusers.hooks import HookRegistry, ModelHook
from torch import nn

from inkguard.edit.diffusers_internals import (
    answering_for,
    attention_backend,
    cleaned_caption,
    execution_device,
    hook_names,
    is_fused,
    modulated,
    name_as_compiled_from,
    plain,
    runs_in_context_parallelism,
    set_compiled_aside,
    unpacked_latents,
)
from tests.families.pipelines import FAMILIES


@cache
def _models(family: str) -> Any:
    return FAMILIES[family]()


def pipeline_of(family: str) -> Any:
    """A pipeline that the test may change."""
    return copy.deepcopy(_models(family))


class _Layer(nn.Module):
    """No module of torch's own: those are not compiled by themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight


class _Net(nn.Module):
    """A layer of our own and one of torch's."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = _Layer(), nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.second(self.first(x))
        return out


class _Backend:
    """A compiler whose graphs count their runs."""

    def __init__(self) -> None:
        torch._dynamo.reset()
        self.runs = 0

    def __call__(self, graph: Any, _inputs: Any) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            self.runs += 1
            return graph.forward(*given)

        return run


class _Counting(AccelerateHook, ModelHook):
    """Stands for hooks that load weights: accelerate's and diffusers' have the same methods."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def pre_forward(self, _module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return args, kwargs

    def post_forward(self, _module: nn.Module, output: Any) -> Any:
        return output


def _by_hand(net: _Net, backend: Any) -> nn.Module:
    net.second = torch.compile(net.second, backend=backend)  # type: ignore[assignment]
    return net


def _method(net: _Net, backend: Any) -> nn.Module:
    net.compile(backend=backend)
    return net


def _part(net: _Net, backend: Any) -> nn.Module:
    net.first.compile(backend=backend)
    return net


def _forward(net: _Net, backend: Any) -> nn.Module:
    net.forward = torch.compile(net.forward, backend=backend)  # type: ignore[method-assign]
    return net


WAYS: dict[str, Callable[[_Net, Any], nn.Module]] = {
    "whole": lambda net, backend: torch.compile(net, backend=backend),  # type: ignore[return-value]
    "method": _method,
    "part": _part,
    "part-by-hand": _by_hand,
    "forward": _forward,
}


@pytest.mark.parametrize("way", WAYS)
def test_what_was_compiled_runs_uncompiled_with_its_hooks(way: str) -> None:
    """Every module's hooks fire, no graph runs; afterwards graphs run again, without those hooks."""
    net, backend, x = _Net(), _Backend(), torch.ones(1, 2)
    module = WAYS[way](net, backend)
    with torch.no_grad():
        expected = module(x)
        runs = backend.runs
        assert runs > 0
        attributes = [dict(vars(part)) for part in module.modules()]
        with ExitStack() as undo:
            set_compiled_aside(module, undo)
            fired: list[nn.Module] = []
            for part in (net, net.first, plain(net.second)):
                hook = part.register_forward_hook(lambda part, *_: fired.append(part))
                undo.callback(hook.remove)
            assert torch.equal(module(x), expected)
            assert fired == [net.first, plain(net.second), net]
        assert backend.runs == runs
        assert [dict(vars(part)) for part in module.modules()] == attributes
        assert torch.equal(module(x), expected)
    assert backend.runs == 2 * runs
    assert len(fired) == 3


@pytest.mark.parametrize("way", ["whole", "method", "forward"])
@pytest.mark.parametrize("library", ["accelerate", "diffusers"])
@pytest.mark.parametrize("order", ["compiled-first", "hooked-first"])
def test_hooks_of_offloading_still_run(order: str, library: str, way: str) -> None:
    """They replace `forward`, above or below the compiled one; only the latter is set aside."""
    net, backend, hook, x = _Net(), _Backend(), _Counting(), torch.ones(1, 2)

    def hooked(module: nn.Module) -> nn.Module:
        if library == "accelerate":
            return add_hook_to_module(module, hook)  # type: ignore[no-any-return]
        HookRegistry.check_if_exists_or_initialize(module).register_hook(hook, "test")
        return module

    if order == "compiled-first":
        module = hooked(WAYS[way](net, backend))
    else:
        module = WAYS[way](hooked(net), backend)  # type: ignore[arg-type]
    with torch.no_grad(), ExitStack() as undo:
        set_compiled_aside(module, undo)
        calls = hook.calls
        module(x)
    assert backend.runs == 0
    assert hook.calls == calls + 1


def test_plain_modules_are_left_alone() -> None:
    """Nothing is changed on a module that was not compiled, and it is its own plain form."""
    net = _Net()
    before = [dict(vars(part)) for part in net.modules()]
    with ExitStack() as undo:
        set_compiled_aside(net, undo)
        assert [dict(vars(part)) for part in net.modules()] == before
    assert plain(net) is net


def test_a_pipeline_says_where_it_runs() -> None:
    """Also where accelerate has its models elsewhere between calls."""
    pipe = pipeline_of("flux")
    assert execution_device(pipe) == torch.device("cpu")
    accelerate.cpu_offload(pipe.transformer, torch.device("cpu"))
    assert execution_device(pipe) == torch.device("cpu")


@pytest.mark.parametrize("family", ["if", "pixart-sigma", "sana"])
def test_captions_are_cleaned_as_the_pipeline_does_it(family: str) -> None:
    """Lower case always, markup only where that is asked for."""
    pytest.importorskip("bs4")
    pytest.importorskip("ftfy")
    pipe = pipeline_of(family)
    assert cleaned_caption(pipe, " A &lt;b&gt; Sign ", True) == "a sign"
    assert cleaned_caption(pipe, " A &lt;b&gt; Sign ", False) == "a &lt;b&gt; sign"


@pytest.mark.parametrize("family", ["flux", "qwen"])
def test_packed_latents_are_unpacked_for_the_autoencoder(family: str) -> None:
    """Patches of two by two become the picture that was packed."""
    pipe = pipeline_of(family)
    side = 4 * pipe.vae_scale_factor
    latents = torch.arange(64.0).reshape(1, 4, 4, 4)
    packed = pipe._pack_latents(latents, 1, 4, 4, 4)
    assert torch.equal(unpacked_latents(pipe, packed, side, side).squeeze(), latents.squeeze())


def test_a_qwen_block_modulates_its_tokens() -> None:
    """Shift, scale and gate are a third of the parameters each."""
    block = pipeline_of("qwen").transformer.transformer_blocks[0]
    x, parameters = torch.randn(2, 3, 32), torch.randn(2, 96)
    shift, scale, gate = parameters[:, None].chunk(3, dim=-1)
    moved, found = modulated(block, x, parameters)
    assert torch.allclose(moved, x * (1 + scale) + shift)
    assert torch.equal(found, gate)


@pytest.mark.parametrize("family", ["flux", "qwen"])
def test_attention_processors_name_their_backend(family: str) -> None:
    """Diffusers sets it where the user asks for one; there is no context parallelism on one device."""
    model = pipeline_of(family).transformer
    processor = model.transformer_blocks[0].attn.processor
    assert attention_backend(processor) is None
    assert not runs_in_context_parallelism(processor)
    model.set_attention_backend("native")
    assert attention_backend(processor) == "native"


def test_hooks_of_diffusers_are_named() -> None:
    """None on a bare module."""
    layer = _Layer()
    assert hook_names(layer) == []
    HookRegistry.check_if_exists_or_initialize(layer).register_hook(_Counting(), "counting")
    assert hook_names(layer) == ["counting"]


def test_names_are_those_from_before_compilation() -> None:
    """`torch.compile` puts itself between a module and its parent."""
    net = _Net()
    names = [name for name, _ in net.named_modules()]
    net.first = torch.compile(net.first, backend="eager")
    found = [name_as_compiled_from(name) for name, _ in net.named_modules()]
    assert [*dict.fromkeys(found)] == names


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
def test_a_module_is_answered_for(compiled: bool) -> None:
    """Without running, or with its own call, whose graphs stay; after it the module is as it was."""
    layer, backend = _Layer(), _Backend()
    if compiled:
        layer.compile(backend=backend)
    x = torch.ones(1, 2)
    expected = layer(x)
    before, runs = dict(vars(layer)), backend.runs
    with answering_for(layer, lambda _call, given: given + 1):
        assert torch.equal(layer(x), x + 1)
    assert backend.runs == runs
    with answering_for(layer, lambda call, given: 2 * call(given)):
        assert torch.equal(layer(x), 2 * expected)
    assert vars(layer) == before
    assert torch.equal(layer(x), expected)
    assert backend.runs == (runs + 2 if compiled else 0)


@pytest.mark.parametrize("family", ["sdxl", "sd3", "flux"])
def test_fusing_is_seen_and_so_is_taking_it_back(family: str) -> None:
    """Also where diffusers leaves its mark on a module that reads its own projections again."""
    pipe = pipeline_of(family)
    denoiser = getattr(pipe, "transformer", None) or pipe.unet
    sites = [m for n, m in denoiser.named_modules() if n.endswith(("attn", "attn2"))]
    assert sites
    assert not any(map(is_fused, sites))
    denoiser.fuse_qkv_projections()
    assert all(map(is_fused, sites))
    denoiser.unfuse_qkv_projections()
    assert not any(map(is_fused, sites))
