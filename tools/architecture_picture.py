"""docs/architecture.svg, made of the imports themselves: `python -m tools.architecture_picture` writes it.

The floors are those of the first import-linter contract in pyproject.toml, the arrows are imports between packages.
An arrow is left out where a longer way of other arrows shows it already (a transitive reduction), so the picture
changes only where the architecture does.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path

import grimp

__all__ = ["PATH", "arrows", "floors", "picture"]

ROOT = Path(__file__).parents[1]
PATH = ROOT / "docs" / "architecture.svg"
BASE = "types, errors"
"""One box for the modules without a package at the bottom. Everything imports them, so no arrow is drawn to it."""

_WIDTH, _FLOOR, _HEIGHT, _MARGIN = 960, 78, 34, 16
_SWEEPS = 24
_GROUPS = (
    ("the doors", "#d7e3f4", ("cli", "inkguard_server", "client", "wire")),
    ("measuring a model", "#e8dff5", ("localize", "evaluate", "measure")),
    ("drawing a picture", "#fbe3c0", ("guard", "draw", "families", "edit", "manifests", "verify")),
    (
        "checking a prompt",
        "#d9efd6",
        ("check", "policy", "match", "extract", "score", "languages", "text"),
    ),
)
_OTHER = "#eceef1"

Arrow = tuple[str, str]


def arrows() -> set[Arrow]:
    """Which package imports which: (importer, imported), by short names."""
    graph = grimp.build_graph(
        "inkguard", "inkguard_server", exclude_type_checking_imports=True, cache_dir=None
    )
    packages = {m for m in graph.modules if graph.find_children(m)}

    def box(module: str) -> str | None:
        top, _, rest = module.partition(".")
        if top == "inkguard_server":
            return top
        name = rest.partition(".")[0]
        if name in ("", "__main__"):
            return None
        return name if f"inkguard.{name}" in packages or name == "guard" else BASE

    found = {
        (box(module), box(imported))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
    }
    return {(a, b) for a, b in found if a and b and a != b}


def floors(edges: Iterable[Arrow]) -> list[list[str]]:
    """The boxes of each floor, from the top.

    The contract names most packages. One that it does not name is a floor above the highest that it imports.
    What everything may import has the lowest floor to itself.
    """
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = config["tool"]["importlinter"]["contracts"][0]["layers"]
    named = [
        [
            BASE if n.endswith(".types") else n.strip().removeprefix("inkguard.")
            for n in row.split("|")
        ]
        for row in layers
    ]
    level = {name: number for number, row in enumerate(named) for name in row}
    below = defaultdict(set)
    for importer, imported in edges:
        below[importer].add(imported)

    def place(name: str) -> int:
        if name not in level:
            level[name] = min((place(n) for n in below[name]), default=len(named)) - 1
        return level[name]

    boxes = {name for edge in edges for name in edge} - {BASE}
    rows: list[list[str]] = [[] for _ in named]
    for name in sorted(boxes):
        rows[place(name)].append(name)
    return [*filter(None, rows), [BASE]]


def picture(edges: set[Arrow]) -> str:
    """The picture as SVG, the same for the same arrows."""
    rows = floors(edges)
    level = {name: number for number, row in enumerate(rows) for name in row}
    shown = sorted(_reduced({(a, b) for a, b in edges if level[a] < level[b] and b != BASE}))
    paths = {(a, b): _path(a, b, level) for a, b in shown}
    place = _columns(rows, paths)
    height = _FLOOR * len(rows) + 4 * _MARGIN
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'font-family="sans-serif" font-size="15" role="img">'
        ),
        "<title>The packages of inkguard on their floors; arrows are imports</title>",
        (
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#667"/></marker></defs>'
        ),
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for number in range(len(rows)):
        if number % 2:
            top = _MARGIN + number * _FLOOR
            lines.append(f'<rect y="{top}" width="{_WIDTH}" height="{_FLOOR}" fill="#f6f7f9"/>')
    lines += _legend(height - 2.0 * _MARGIN)
    lines += (_curve([place[step] for step in paths[edge]]) for edge in shown)
    lines += (
        _box(name, *place[name, level[name]], _wide(name)) for name in sorted(level) if name != BASE
    )
    lines.append(_box(BASE, _WIDTH / 2, height - 3 * _MARGIN - _FLOOR / 2, _WIDTH - 4 * _MARGIN))
    return "\n".join([*lines, "</svg>", ""])


def _reduced(edges: set[Arrow]) -> set[Arrow]:
    """The arrows without those that a longer way shows; there is no circle among them."""
    below = defaultdict(set)
    for importer, imported in edges:
        below[importer].add(imported)

    def reached(name: str) -> set[str]:
        return below[name].union(*map(reached, below[name])) if below.get(name) else set()

    return {(a, b) for a, b in edges if not any(b in reached(n) for n in below[a] - {b})}


Step = tuple[str, int]
"""A box or a bend of an arrow, and its floor."""


def _path(a: str, b: str, level: Mapping[str, int]) -> list[Step]:
    """An arrow's way: its ends, and a bend on every floor between them."""
    bends = [(f"{a} > {b}", floor) for floor in range(level[a] + 1, level[b])]
    return [(a, level[a]), *bends, (b, level[b])]


def _columns(
    rows: Sequence[Sequence[str]], paths: Mapping[Arrow, Sequence[Step]]
) -> dict[Step, tuple[float, float]]:
    """Where everything stands: each floor is ordered by the middle of its neighbours above and below."""
    steps = [[(name, number) for name in row] for number, row in enumerate(rows)]
    near: dict[Step, list[Step]] = defaultdict(list)
    for path in paths.values():
        for step in path[1:-1]:
            steps[step[1]].append(step)
        for one, other in pairwise(path):
            near[one].append(other)
            near[other].append(one)
    x = {step: (i + 1) / (len(row) + 1) * _WIDTH for row in steps for i, step in enumerate(row)}
    for sweep in range(_SWEEPS):
        for row in steps if sweep % 2 else reversed(steps):
            middle = {
                s: sum(x[n] for n in near[s]) / len(near[s]) if near[s] else x[s] for s in row
            }
            if sweep < _SWEEPS // 2:
                row.sort(key=lambda s: (middle[s], s))
            x.update(zip(row, _apart(row, middle), strict=True))
    middle_of_all = (min(x.values()) + max(x.values())) / 2
    return {
        step: (x[step] - middle_of_all + _WIDTH / 2, _MARGIN + (step[1] + 0.5) * _FLOOR)
        for step in sorted(x)
    }


def _apart(row: Sequence[Step], wanted: Mapping[Step, float]) -> list[float]:
    """Where the steps of a floor stand: as near to the wanted place as the others leave room.

    The mean of pushing all to the right and pushing all to the left keeps the order and the gaps.
    """
    right: list[float] = []
    for number, step in enumerate(row):
        least = right[-1] + (_room(row[number - 1]) + _room(step)) / 2 if right else 0.0
        right.append(max(wanted[step], least))
    left = list(right)
    for number in reversed(range(len(row))):
        most = wanted[row[number]]
        if number + 1 < len(row):
            gap = (_room(row[number]) + _room(row[number + 1])) / 2
            most = min(most, left[number + 1] - gap)
        left[number] = most
    return [(a + b) / 2 for a, b in zip(left, right, strict=True)]


def _room(step: Step) -> float:
    return 32.0 if ">" in step[0] else _wide(step[0]) + 40


def _wide(name: str) -> float:
    return 9 * len(name) + 28.0


def _curve(points: Sequence[tuple[float, float]]) -> str:
    half = _HEIGHT / 2
    (x, y), *rest = points
    data = f"M{x:.0f} {y + half:.0f}"
    y += half
    for number, (to_x, to_y) in enumerate(rest, 1):
        end = to_y - half - 2 if number == len(rest) else to_y
        bend = (end - y) / 2
        data += f"C{x:.0f} {y + bend:.0f} {to_x:.0f} {end - bend:.0f} {to_x:.0f} {end:.0f}"
        x, y = to_x, end
    return f'<path d="{data}" fill="none" stroke="#889" stroke-width="1.4" marker-end="url(#tip)"/>'


def _box(name: str, x: float, y: float, wide: float) -> str:
    colour = next((colour for _, colour, names in _GROUPS if name in names), _OTHER)
    return (
        f'<rect x="{x - wide / 2:.0f}" y="{y - _HEIGHT / 2:.0f}" width="{wide:.0f}" height="{_HEIGHT}" rx="6" '
        f'fill="{colour}" stroke="#556"/><text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle">{escape(name)}</text>'
    )


def _legend(y: float) -> Iterator[str]:
    for number, (title, colour, _) in enumerate(_GROUPS):
        x = 2 * _MARGIN + number * (_WIDTH - 2 * _MARGIN) / len(_GROUPS)
        yield f'<rect x="{x:.0f}" y="{y:.0f}" width="16" height="16" rx="3" fill="{colour}" stroke="#556"/>'
        yield f'<text x="{x + 24:.0f}" y="{y + 13:.0f}">{title}</text>'


if __name__ == "__main__":
    PATH.write_text(picture(arrows()), encoding="utf-8")
