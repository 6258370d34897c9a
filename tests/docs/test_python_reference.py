"""docs/reference/python.md has every public name, and no other."""

from __future__ import annotations

import enum
import re
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

import inkguard

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "python.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
WHOLE = {"Request", "Result", "Decision", "TextSpan", "Finding"}
"""Records whose fields are all public; of the others the page names those that users need."""


def test_the_page_has_every_public_name() -> None:
    """And a section for nothing else."""
    assert set(SECTIONS) == {*inkguard.__all__} - {"__version__"}


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_a_section_says_what_the_name_has(name: str) -> None:
    """All fields of a record, and all members of an enumeration."""
    kind = getattr(inkguard, name)
    wanted: set[str] = set()
    if name in WHOLE and is_dataclass(kind):
        wanted = {field.name for field in fields(kind)}
    elif isinstance(kind, type) and issubclass(kind, enum.Enum):
        wanted = set(kind.__members__)
    assert {member for member in wanted if f"`{member}`" not in SECTIONS[name]} == set()
