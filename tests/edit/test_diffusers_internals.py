"""Setting compiled calls aside, on modules of a few weights."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
import torch
from accelerate.hooks import ModelHook as AccelerateHook
from accelerate.hooks import add_hook_to_module
from diffusers.hooks import HookRegistry, ModelHook
from torch import nn

from inkguard.edit.diffusers_internals import plain, set_compiled_aside


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
