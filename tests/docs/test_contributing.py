"""The routes in CONTRIBUTING.md lead to files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*)`")
_COMMAND = re.compile(r"(?:python -m (tools\.\w+)|python (bench/\w+\.py)|make (\w+))")
PAGES = ("CONTRIBUTING.md", "docs/architecture.md", "docs/guides/substitution.md", "SECURITY.md")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_exists(page: str) -> None:
    """Folders end with a stroke. `out/` is made by commands."""
    named = {path for path in _PATH.findall(text_of(page)) if not path.startswith("out/")}
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_every_command_that_the_routes_name_exists() -> None:
    """Tools, benches and targets of make."""
    makefile = text_of("Makefile")
    for tool, bench, target in _COMMAND.findall(text_of("CONTRIBUTING.md")):
        if target:
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
        else:
            assert (ROOT / (bench or tool.replace(".", "/") + ".py")).exists(), bench or tool


def test_there_are_seven_routes() -> None:
    """Each has numbered steps, and says how many files it touches."""
    routes = re.split(r"^### ", text_of("CONTRIBUTING.md"), flags=re.MULTILINE)[1:]
    assert len(routes) == 7
    for route in routes:
        assert re.search(r"^1\. ", route, re.MULTILINE)
        assert re.search(r"^(?:Three|Four|Five|Seven) files", route, re.MULTILINE)
