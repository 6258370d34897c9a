"""Engines, each loaded once."""

from __future__ import annotations

import shutil

import pytest

from inkguard.verify import ENGINES, Reader, reader_named


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> Reader:
    """Each engine in turn."""
    if request.param == "tesseract" and shutil.which("tesseract") is None:
        pytest.skip("the tesseract program is not installed")
    return reader_named(request.param)
