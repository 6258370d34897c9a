"""The table of disguises in docs/guides/matching.md, made of their docstrings: `python -m tools.disguises_page`.

A disguise's docstring begins with what it undoes. After an empty line come four fields, each of one line or more:
`Example`, `Leaves alone`, `Known misses` and `Place` (in the order, and why).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from pathlib import Path

from inkguard.match.disguises import DISGUISES, Disguise

__all__ = ["FIELDS", "described", "page"]

FIELDS = ("Example", "Leaves alone", "Known misses", "Place")
_PAGE = Path(__file__).parent.parent / "docs" / "guides" / "matching.md"
_BEGIN, _END = "<!-- disguises: made by `python -m tools.disguises_page` -->\n", "<!-- end -->\n"
_FIELD = re.compile(rf"^({'|'.join(FIELDS)}): ", re.MULTILINE)


def page(text: str) -> str:
    """The page with the table that the docstrings make; raises ValueError for a page without its marks."""
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"the page needs {_BEGIN.strip()} and {_END.strip()}")
    return "".join((before, begin, *_table(DISGUISES), end, after))


def described(disguise: type[Disguise]) -> dict[str, str]:
    """What a disguise undoes ("Undoes"), and its fields; raises ValueError where one is missing."""
    what, *fields = _FIELD.split(inspect.getdoc(disguise) or "")
    found = dict(zip(fields[::2], fields[1::2], strict=True))
    missing = [name for name in FIELDS if name not in found]
    if missing:
        raise ValueError(f"{disguise.__name__}: its docstring has no {', '.join(missing)}")
    return {name: " ".join(text.split()) for name, text in {"Undoes": what, **found}.items()}


def _table(disguises: Iterable[type[Disguise]]) -> Iterable[str]:
    yield "| reading | what it undoes | example | leaves alone | known misses |\n"
    yield "|---|---|---|---|---|\n"
    for disguise in disguises:
        row = described(disguise)
        cells = (row[name] for name in ("Undoes", "Example", "Leaves alone", "Known misses"))
        yield f"| `{disguise.label}` | {' | '.join(cell.rstrip('.') for cell in cells)} |\n"


if __name__ == "__main__":
    _PAGE.write_text(page(_PAGE.read_text(encoding="utf-8")), encoding="utf-8")
