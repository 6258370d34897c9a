"""Small policies are written as for the tests of `inkguard.policy`."""

from __future__ import annotations

import pytest

from tests.policy.conftest import author, default

__all__ = ["author", "default"]


@pytest.fixture(autouse=True)
def _no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of a parallel run are told a width of 80, as a terminal would be."""
    monkeypatch.delenv("COLUMNS", raising=False)
