"""The search on models of whom the truth is known: which patches are measured, and what is found."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from inkguard.cli.terminal import TerminalProgress
from inkguard.errors import MeasureError
from inkguard.localize.patch import NONE, WHOLE, Patch, Site
from inkguard.localize.plan import LocalizationResult, Search, localize, most_patches
from inkguard.localize.plots import picture_columns
from inkguard.localize.sweep import SweepScore
from inkguard.localize.table import shown_patches


class Model:
    """A model of `count` sites whose donor text is read as `reads` says of a patch."""

    def __init__(
        self, count: int, reads: Callable[[Patch], float], *, has_pooled: bool = False
    ) -> None:
        sites = [Site(n, f"blocks.{n}", 10) for n in range(count)]
        self.drawer = SimpleNamespace(sites=sites, has_pooled=has_pooled)
        self.pairs: Sequence[int] = range(4)
        self.measured: list[Patch] = []
        self._reads = reads

    def missing(self, patches: Iterable[Patch]) -> int:
        return len(self.pairs) * len(list(patches))

    def measure(self, patch: Patch) -> SweepScore:
        self.measured.append(patch)
        donor = float(patch.whole) if patch in (NONE, WHOLE) else self._reads(patch)
        # A later start keeps the picture better, more sites keep it worse.
        change = 0.01 * len(patch.sites) / (1 + patch.start_step)
        means = {
            "donor_similarity": donor,
            "source_similarity": 1 - donor,
            "mse_outside": change,
        }
        return SweepScore(means, len(self.pairs))


def search(model: Model, **bounds: Any) -> tuple[LocalizationResult, str]:
    """What is found, and what the ticker says meanwhile where there is no terminal."""
    console = Console(file=io.StringIO(), force_terminal=False)
    with TerminalProgress(console) as progress:
        result = localize(cast(Any, model), Search(**bounds), progress, 10_000)
        progress.done("end")
    return result, cast(io.StringIO, console.file).getvalue()


def three_neighbours(patch: Patch) -> float:
    """As the paper found in SDXL: sites 55, 56 and 57 of 70, none of them much alone."""
    late = 0.5 if patch.start_step > 4 else 0.0
    return {0: 0.0, 1: 0.2, 2: 0.5, 3: 0.99}[len({55, 56, 57} & {*patch.sites})] - late


def test_neighbours_that_do_little_alone_are_found_together() -> None:
    """Out of 70 sites, without trying every set of three."""
    model = Model(70, three_neighbours)
    result, _ = search(model, max_sites=3, candidates=4, start_steps=(0, 4, 8))
    assert result.choice.sites == (55, 56, 57)
    assert result.choice.reached
    assert result.final.start_step == 4
    assert len(model.measured) == len(set(model.measured)) < 110


@pytest.mark.parametrize("start_steps", [(0,), (0, 1, 2, 4)])
def test_the_number_of_pictures_is_a_bound_that_is_said_in_advance(
    start_steps: tuple[int, ...],
) -> None:
    """Never fewer than are drawn, and no more than a few more."""
    bounds = Search(max_sites=3, candidates=8, start_steps=start_steps)
    model = Model(70, three_neighbours, has_pooled=True)
    search(model, max_sites=3, candidates=8, start_steps=start_steps)
    most = sum(most_patches(bounds, 70, True))
    assert most - 12 <= len(model.measured) <= most


def test_no_more_sites_are_tried_than_asked_for() -> None:
    """With a bound of two the best pair is taken, and it is said that it does not reach the mark."""
    model = Model(70, three_neighbours)
    result, _ = search(model, max_sites=2, candidates=4)
    assert max(len(v.sites) for v in model.measured if len(v.sites) < 70) == 2
    assert len({55, 56, 57} & {*result.choice.sites}) == 2
    assert not result.choice.reached


@pytest.mark.parametrize(("alone", "both", "taken"), [(0.8, 0.99, True), (0.98, 0.99, False)])
def test_pooled_text_is_swapped_only_where_it_is_needed(
    alone: float, both: float, taken: bool
) -> None:
    """Where the sites reach the mark without it, the picture keeps its own."""

    def reads(patch: Patch) -> float:
        if 2 not in patch.sites:
            return 0.0
        return both if patch.swap_pooled else alone

    result, _ = search(Model(5, reads, has_pooled=True), max_sites=1)
    assert result.final == Patch(sites=(2,), swap_pooled=taken)


def test_a_model_that_draws_no_text_is_refused_before_its_sites_are_measured() -> None:
    """Two patches tell: the donor's own prompt does not draw the donor's text."""

    class Silent(Model):
        def measure(self, patch: Patch) -> SweepScore:
            self.measured.append(patch)
            return SweepScore({"donor_similarity": 0.1, "source_similarity": 0.1}, 4)

    model = Silent(70, three_neighbours)
    with pytest.raises(MeasureError, match="no text that OCR reads"):
        search(model)
    assert model.measured == [NONE, WHOLE]


def test_chosen_sites_are_always_among_the_pictures_and_the_rows_shown() -> None:
    """Also one that reads no donor's text alone, and comes far behind in a model of many sites."""

    def reads(patch: Patch) -> float:
        return max((0.9 if n == 60 else 0.3 - n / 1000) for n in patch.sites)

    result, _ = search(Model(70, reads), override=(60, 69))
    columns = picture_columns(result)
    assert len(columns) <= 14
    for shown in (columns, shown_patches(result)):
        assert {Patch(sites=(69,)), Patch(sites=(60,)), NONE, WHOLE, result.final} <= {*shown}


def test_time_left_is_told_where_there_is_no_terminal() -> None:
    """Pictures done of those expected, and seconds."""
    _, told = search(Model(5, lambda v: float(2 in v.sites)), max_sites=1)
    assert told.startswith("At most ")
    assert "0/" in told
    assert " s left: end" in told
