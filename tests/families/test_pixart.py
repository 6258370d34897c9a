"""What PixArt's pipelines do beside the rest of tests/families/test_projected_caption.py: bins, conditions, sizes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from inkguard.errors import InvalidInput
from inkguard.families.registry import adapter_for
from tests.families.calls import DONORS, TOXIC, call, draw, every_site, plain
from tests.families.parts import pixart_parts
from tests.families.pipelines import pipeline


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The nets are so small that a second thread only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", ["PixArtAlphaPipeline", "PixArtSigmaPipeline"])
def test_resolution_bins_are_left_to_the_pipeline(name: str) -> None:
    """A small size is drawn in the nearest bin (256 pixels here) and made small again; property 3 holds."""
    pipe = pipeline(name, pixart_parts())
    arguments = call(pipe, [TOXIC], use_resolution_binning=True, num_inference_steps=2)
    sizes: list[torch.Size] = []
    hook = pipe.transformer.register_forward_pre_hook(
        lambda _module, args: sizes.append(args[0].shape)
    )
    edited = draw(pipe, arguments, every_site(pipe), [0], [DONORS["shorter"]])
    hook.remove()
    assert {tuple(size) for size in sizes} == {(2, 4, 32, 32)}
    assert edited.shape == (1, 32, 32, 3)
    assert np.array_equal(edited, plain(pipe, arguments, prompt=[DONORS["shorter"]]))


def test_the_time_embeddings_conditions_stay_as_they_are() -> None:
    """PixArt-alpha's size and shape of the picture reach the edited model as they do the bare one."""
    pipe = pipeline("PixArtAlphaPipeline", pixart_parts(128))
    arguments = call(pipe, [TOXIC], width=64)
    seen: list[Any] = []
    hook = pipe.transformer.adaln_single.register_forward_hook(
        lambda _module, args, output: seen.append((args[1], output[0]))
    )
    plain(pipe, arguments)
    bare, seen = seen, []
    hook.remove()
    hook = pipe.transformer.adaln_single.register_forward_hook(
        lambda _module, args, output: seen.append((args[1], output[0]))
    )
    draw(pipe, arguments, (1,), [0], [DONORS["equal"]])
    hook.remove()
    assert len(seen) == len(bare) == 3
    for (given, output), (given_bare, output_bare) in zip(seen, bare, strict=True):
        assert given["resolution"].tolist() == [[32.0, 64.0]] * 2
        assert torch.equal(given["aspect_ratio"], given_bare["aspect_ratio"])
        assert torch.equal(output, output_bare)


def test_sizes_that_do_not_fit_are_refused() -> None:
    """Latents are an eighth of the picture here and are cut into patches of two by two."""
    pipe = pipeline("PixArtSigmaPipeline", pixart_parts())
    adapter = adapter_for(pipe)
    adapter.check_size(pipe, 48, None)
    with pytest.raises(InvalidInput, match="width: must be a multiple of 16"):
        adapter.check_size(pipe, 40, None)
    assert plain(pipe, call(pipe, [TOXIC], width=48)).shape == (1, 32, 48, 3)
