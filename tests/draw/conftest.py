"""What the tests of drawing share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.draw.cases import FAMILIES, Case, case_of, new_case


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The nets are so small that a second thread only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=FAMILIES)
def case(request: pytest.FixtureRequest) -> Case:
    """A pipeline of each family in turn, which the test leaves as it was."""
    return case_of(request.param)


@pytest.fixture(params=FAMILIES)
def own_case(request: pytest.FixtureRequest) -> Case:
    """A pipeline of each family in turn, which the test may change."""
    return new_case(request.param)
