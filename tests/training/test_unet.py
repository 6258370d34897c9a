"""What the U-Nets learn from beside noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from inkguard.measure.world.captions import sample_scene
from inkguard.measure.world.scene import COLORS, LETTERS, render
from training.denoiser import Latents
from training.unet import Examples, Predicts, Readers, salience, times, velocity_error

WIDTH = 32


def _batch(*, captioned: bool = True, named: tuple[int, int] = (3, 5)) -> Examples:
    """One picture whose two top rows say the letters 1 and 2, with a shape in its last column."""
    cells = torch.full((1, 8, 12), -1)
    cells[:, :2, 0], cells[:, :2, 1] = 1, 2
    shape_cells = torch.zeros(1, 8, 12, dtype=torch.bool)
    shape_cells[:, 4:, -1] = True
    silhouette = torch.zeros(1, 64, 96, dtype=torch.bool)
    silhouette[:, 32:, -6:] = True
    return Examples(
        clean=torch.zeros(1, 3, 64, 96),
        cells=cells,
        shape_cells=shape_cells,
        silhouette=silhouette,
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
    losses = _losses(_batch(captioned=False))
    assert [losses[key].item() for key in ("reading", "color", "shape")] == [0, 0, 0]
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


def test_the_outline_asks_each_cell_for_its_own_pixels() -> None:
    """The loss is nothing for a head that sets the pixels of the silhouette, cell by cell."""
    batch = _batch()
    cells = batch.silhouette[0].reshape(8, 8, 12, 8).transpose(1, 2).reshape(96, 64).float()
    readers = Readers(96)
    with torch.no_grad():
        readers.outline.weight.copy_(40 * cells.T)
        readers.outline.bias.fill_(-20)
    one_hot = torch.eye(96).reshape(1, 96, 8, 12)
    assert readers.losses(one_hot, batch)["outline"].item() < 1e-6
    assert readers.losses(one_hot.flip(2), batch)["outline"].item() > 1


def test_cached_latents_know_where_their_shapes_stand() -> None:
    """As the picture of the same index was rendered."""
    latents = Latents(torch.empty(0), torch.empty(0), seed=42)
    for index, cells, outline in zip((0, 7, 41), *latents.shapes([0, 7, 41]), strict=True):
        rng = np.random.default_rng((42, index))
        picture = render(sample_scene(rng), rng)
        assert np.array_equal(cells.numpy(), picture.shape_cells)
        assert np.array_equal(outline.numpy(), picture.silhouette)


def test_times_reach_every_noise_and_crowd_where_outlines_are_lost() -> None:
    """The middle third of the schedule, less its strong end, has most; each tenth has its even share."""
    drawn = times(np.random.default_rng(0), 20_000, 1000)
    assert drawn.min() >= 0
    assert drawn.max() < 1000
    shares = np.histogram(drawn, bins=10, range=(0, 1000))[0] / len(drawn)
    assert shares.min() > 0.018
    assert shares[1:5].sum() > 0.55
    assert shares[6:].sum() < 0.25


@pytest.mark.parametrize("predicts", ["velocity", "sample"])
def test_either_prediction_pays_for_the_velocity_that_it_means(predicts: Predicts) -> None:
    """Nothing when right, and the same for the same wrong idea of the clean sample."""
    clean, noise, wrong = torch.randn(3, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    sigma = torch.tensor([0.4, 0.9]).view(2, 1, 1, 1)
    signal = (1 - sigma**2).sqrt()
    noisy = signal * clean + sigma * noise

    def output(sample: torch.Tensor) -> torch.Tensor:
        return sample if predicts == "sample" else (signal * noisy - sample) / sigma

    right = velocity_error(output(clean), clean, noise, signal, sigma, predicts)
    assert right.max().item() < 1e-9
    error = velocity_error(output(clean + wrong), clean, noise, signal, sigma, predicts)
    assert torch.allclose(error, (wrong / sigma).square(), rtol=1e-3)


def test_a_sample_in_little_noise_counts_within_bounds() -> None:
    """Its squared error counts 50 times at most."""
    zero, one = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    tiny = torch.full((1, 1, 1, 1), 1e-3)
    assert velocity_error(one, zero, zero, 1 - tiny, tiny, "sample").max().item() == 50


@pytest.mark.parametrize("size", [(64, 96), (16, 24)], ids=["pixels", "latents"])
def test_a_shapes_edge_counts_more_than_its_middle_and_what_lies_around_it(
    size: tuple[int, int],
) -> None:
    """In pixels and in latents; a picture's places count 1 on average, whatever its shape."""
    silhouette = torch.zeros(2, 64, 96, dtype=torch.bool)
    silhouette[0, 16:48, 32:64] = True
    silhouette[1, 40:64, 72:96] = True
    clean = F.adaptive_max_pool2d(silhouette[:, None].float(), size).expand(-1, 3, -1, -1)
    weight = salience(clean, silhouette)
    assert weight.mean((1, 2, 3)).tolist() == pytest.approx([1, 1])
    height, width = size
    edge, middle = weight[0, 0, height // 2, width // 3], weight[0, 0, height // 2, width // 2]
    around = weight[0, 0, 0, 0]
    assert edge > 1.5 * middle > 1.5 * around
