"""Attention in training on a CPU is PyTorch's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F

from training.denoiser import plain_attention


@pytest.fixture
def fused() -> Iterator[Callable[..., torch.Tensor]]:
    """PyTorch's own attention, while the plain one stands in its place."""
    fused = F.scaled_dot_product_attention
    plain_attention()
    yield fused
    F.scaled_dot_product_attention = fused


@pytest.mark.parametrize("keys", [7, 12])
def test_plain_attention_is_the_fused_one(fused: Callable[..., torch.Tensor], keys: int) -> None:
    """In float32 to rounding; queries as many as keys, or fewer, as with text beside the picture."""
    q, k, v = (torch.randn(2, 3, n, 16) for n in (7, keys, keys))
    assert F.scaled_dot_product_attention is not fused
    torch.testing.assert_close(F.scaled_dot_product_attention(q, k, v), fused(q, k, v))


def test_masked_attention_stays_pytorchs_own(fused: Callable[..., torch.Tensor]) -> None:
    """Bit by bit: only what is not masked is replaced."""
    q, k, v = torch.randn(3, 2, 3, 7, 16)
    mask = (torch.rand(7, 7) < 0.5) | torch.eye(7, dtype=torch.bool)
    masked = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    assert torch.equal(masked, fused(q, k, v, attn_mask=mask))


def test_it_computes_in_the_values_own_type(fused: Callable[..., torch.Tensor]) -> None:
    """Under autocast normed queries and keys are float32; the products are bfloat16 all the same."""
    q, k = torch.randn(2, 1, 3, 9, 16)
    v = torch.randn(1, 3, 9, 16, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        output = F.scaled_dot_product_attention(q, k, v)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), fused(q, k, v.float()), atol=0.03, rtol=0.03)
