"""The guard does nothing to a pipeline while nothing is flagged, in every family."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.families.registry import adapter_for
from inkguard.guard import Guard
from inkguard.types import Action
from tests.families.calls import HARMLESS, SHORT, TOXIC, call, manifest, plain, snapshot
from tests.families.pipelines import FAMILIES


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The nets are so small that a second thread only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_without_a_flagged_prompt_is_the_bare_pipelines(guard: Guard, family: str) -> None:
    """Bit by bit, and no model has a hook, processor or attribute more while the denoiser runs."""
    pipe = FAMILIES[family]()
    wrapped = GuardedPipeline(pipe, guard.checker, manifest=manifest(pipe, (1,)), reader=None)
    seen: list[dict[str, object]] = []
    _, site = adapter_for(pipe).sites(pipe)[1]
    site.register_forward_hook(lambda *_: seen.append(snapshot(pipe)))
    arguments = call(pipe, [HARMLESS, SHORT])
    expected, before = plain(pipe, arguments), snapshot(pipe)

    seen.clear()
    arguments["generator"].manual_seed(3)
    drawing = wrapped.draw(arguments, on_step=lambda *_: seen.append(snapshot(pipe)))
    assert [d.action for d in drawing.decisions] == [Action.ALLOW] * 2
    assert np.array_equal(drawing.output.images, expected)
    # At least one forward of the site and one `on_step` in each of the three steps.
    assert len(seen) >= 6
    assert all(state == before for state in seen)

    seen.clear()
    wrapped.draw({**arguments, "prompt": [HARMLESS, TOXIC]})
    assert len(seen) >= 3
    assert all(state != before for state in seen)
    assert snapshot(pipe) == before
