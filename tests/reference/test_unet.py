"""What the U-Nets learn from beside noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from guard.reference.captions import sample_scene
from guard.reference.denoiser import Latents
from guard.reference.unet import Examples, Readers
from guard.reference.world import COLORS, LETTERS, render

WIDTH = 32


def _batch(*, captioned: bool = True, named: tuple[int, int] = (3, 5)) -> Examples:
    """One picture whose two top rows say the letters 1 and 2, with a shape in its last column."""
    cells = torch.full((1, 8, 12), -1)
    cells[:, :2, 0], cells[:, :2, 1] = 1, 2
    shape_cells = torch.zeros(1, 8, 12, dtype=torch.bool)
    shape_cells[:, 4:, -1] = True
    return Examples(
        clean=torch.zeros(1, 3, 64, 96),
        cells=cells,
        shape_cells=shape_cells,
        named=torch.tensor([named]),
        text=torch.zeros(1, 4, 8),
        captioned=torch.tensor([captioned]),
    )


def _losses(batch: Examples) -> dict[str, torch.Tensor]:
    """Of heads that know nothing, but for the shape's, which always names the sixth."""
    torch.manual_seed(0)
    readers = Readers(WIDTH)
    with torch.no_grad():
        for head in (readers.letter, readers.shape_color, readers.shape):
            head.weight.zero_()
            head.bias.zero_()
        readers.shape.bias[5] = 9.0
    return readers.losses(torch.randn(1, WIDTH, 8, 12), batch)


def test_a_head_that_knows_nothing_pays_for_every_choice() -> None:
    """Its loss is the logarithm of how many there are; one that is right pays almost nothing."""
    losses = _losses(_batch())
    assert losses["reading"].item() == pytest.approx(math.log(len(LETTERS)))
    assert losses["color"].item() == pytest.approx(math.log(len(COLORS)))
    assert losses["shape"].item() < 0.01
    assert _losses(_batch(named=(3, 4)))["shape"].item() > 8


def test_a_caption_that_is_dropped_or_silent_asks_nothing() -> None:
    """No loss for letters and shape without a caption, none for a colour that it does not name."""
    assert all(loss.item() == 0 for loss in _losses(_batch(captioned=False)).values())
    losses = _losses(_batch(named=(-100, 5)))
    assert losses["color"].item() == 0
    assert losses["reading"].item() > 0


def test_only_the_cells_of_the_shape_must_name_it() -> None:
    """What the other cells hold has no gradient from the shape's losses."""
    picture = torch.randn(1, WIDTH, 8, 12, requires_grad=True)
    torch.manual_seed(0)
    losses = Readers(WIDTH).losses(picture, _batch())
    (losses["color"] + losses["shape"]).backward()  # type: ignore[no-untyped-call]
    assert picture.grad is not None
    moved = picture.grad.abs().sum(1)[0] > 0
    assert torch.equal(moved, _batch().shape_cells[0])


def test_cached_latents_know_where_their_shapes_stand() -> None:
    """As the picture of the same index was rendered."""
    latents = Latents(torch.empty(0), torch.empty(0), seed=42)
    places = latents.shape_cells([0, 7, 41])
    for index, found in zip((0, 7, 41), places, strict=True):
        rng = np.random.default_rng((42, index))
        assert np.array_equal(found.numpy(), render(sample_scene(rng), rng).shape_cells)
