"""Muon for convolutions, which torch's own takes as matrices only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn


class ConvolutionMuon(torch.optim.Muon):
    """Move each kernel (out, in, height, width) as the matrix (out, in * height * width).

    So the method's author does it (Jordan 2024, "Muon: an optimizer for hidden layers in neural
    networks"). The matrices share the kernels' storage: kernels must stay on their device, contiguous.
    """

    def __init__(
        self, kernels: Iterable[nn.Parameter], *, lr: float, momentum: float, weight_decay: float
    ) -> None:
        self._kernels = list(kernels)
        self._matrices = [nn.Parameter(k.data.view(k.shape[0], -1)) for k in self._kernels]
        super().__init__(self._matrices, lr=lr, momentum=momentum, weight_decay=weight_decay)

    def step(self, closure: Any = None) -> Any:
        """One step from the kernels' gradients; a kernel without one stays where it is."""
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            matrix.grad = None if kernel.grad is None else kernel.grad.reshape(matrix.shape)
        return super().step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the kernels' gradients and the matrices'."""
        super().zero_grad(set_to_none)
        for kernel in self._kernels:
            kernel.grad = None
