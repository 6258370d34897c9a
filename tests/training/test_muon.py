"""A convolution under Muon moves as the matrix that it is."""

from __future__ import annotations

import copy

import torch
from torch import nn

from training.muon import ConvolutionMuon

_SETTINGS = {"lr": 0.02, "momentum": 0.95, "weight_decay": 0.1}


def _patches(pictures: torch.Tensor) -> torch.Tensor:
    return nn.functional.unfold(pictures, 3).transpose(1, 2)


def test_a_convolution_moves_as_the_linear_layer_on_its_patches_does() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(8, 12, 3, bias=False)
    linear = nn.Linear(72, 12, bias=False)
    linear.weight.data = convolution.weight.detach().clone().view(12, 72)
    moved = ConvolutionMuon([convolution.weight], **_SETTINGS)
    expected = torch.optim.Muon([linear.weight], **_SETTINGS)
    for _ in range(3):
        pictures = torch.randn(2, 8, 6, 6)
        for optimizer, output in (
            (moved, convolution(pictures)),
            (expected, linear(_patches(pictures))),
        ):
            optimizer.zero_grad()
            output.square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(convolution.weight.detach().view(12, 72), linear.weight.detach())


def test_a_kernel_without_a_gradient_stays_where_it_is() -> None:
    torch.manual_seed(0)
    used, unused = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)
    before = copy.deepcopy(unused.weight)
    optimizer = ConvolutionMuon([used.weight, unused.weight], **_SETTINGS)
    for _ in range(2):
        optimizer.zero_grad()
        used(torch.randn(1, 8, 4, 4)).square().mean().backward()
        optimizer.step()
    assert torch.equal(unused.weight, before)


def test_gradients_do_not_add_up_over_steps() -> None:
    convolution = nn.Conv2d(8, 8, 1)
    optimizer = ConvolutionMuon([convolution.weight], **_SETTINGS)
    convolution(torch.randn(1, 8, 4, 4)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    assert convolution.weight.grad is None
