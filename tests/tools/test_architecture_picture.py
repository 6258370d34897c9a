"""docs/architecture.svg is that of the imports, and docs/architecture.md names every package on it."""

from __future__ import annotations

import re

import pytest

from tools.architecture_picture import BASE, PATH, Arrow, arrows, floors, picture

EDGES = arrows()


def test_the_picture_is_not_stale() -> None:
    """Run `make pages` where this fails."""
    assert PATH.read_text(encoding="utf-8") == picture(EDGES)


def test_the_page_says_what_each_package_does() -> None:
    """One row for each box."""
    page = PATH.with_suffix(".md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)`", page, re.MULTILINE)
    boxes = {name for row in floors(EDGES) for name in row if name != BASE}
    assert sorted(rows) == sorted([*boxes, "types"])


def test_every_arrow_goes_down() -> None:
    """The floors are those of the contract, so none goes up or along."""
    level = {name: n for n, row in enumerate(floors(EDGES)) for name in row}
    assert {(a, b) for a, b in EDGES if level[a] >= level[b]} == set()


@pytest.mark.parametrize(
    ("edges", "drawn"),
    [
        ({("cli", "guard"), ("guard", "draw"), ("cli", "draw")}, 2),
        ({("cli", "guard"), ("cli", "draw")}, 2),
        ({("cli", BASE), ("cli", "guard"), ("guard", BASE)}, 1),
    ],
)
def test_an_arrow_that_others_show_is_left_out(edges: set[Arrow], drawn: int) -> None:
    """And so are those to what everything imports."""
    assert picture(edges).count("marker-end") == drawn
