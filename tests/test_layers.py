"""Which package may import which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WIRE = ("inkguard_server._pb", "inkguard_server.convert")
LAZY = ("guard/inkguard/cli.py", "guard/inkguard/demo.py")
"""These import the server inside of the functions that need it."""


def imports(node: ast.AST, *, inside: bool = False) -> Iterator[tuple[str, bool]]:
    """Every module that is imported, and whether that happens inside of a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, inside) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            module = child.module or ""
            yield from ((f"{module}.{alias.name}", inside) for alias in child.names)
        function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from imports(child, inside=inside or function)


def of_server(file: Path) -> list[tuple[str, bool]]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [(m, inside) for m, inside in imports(tree) if m.split(".")[0] == "inkguard_server"]


@pytest.mark.parametrize(
    "file", sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "guard").rglob("*.py"))
)
def test_the_guard_knows_only_the_servers_wire(file: str) -> None:
    """The clients use the wire package alone, the command line the rest lazily, others nothing."""
    for module, inside in of_server(ROOT / file):
        wire = any(module == w or module.startswith(f"{w}.") for w in WIRE)
        assert (wire and file.startswith("guard/inkguard/client/")) or (inside and file in LAZY), (
            module
        )


def test_converting_needs_neither_the_model_nor_the_settings() -> None:
    """What the clients import of the server imports no more than the port and the wire."""
    allowed = {"inkguard_server._pb.guard.v1.guard_pb2", "inkguard_server.engine"}
    for name in ("convert.py", "engine.py"):
        for module, _ in of_server(ROOT / "server" / "inkguard_server" / name):
            assert any(module == a or module.startswith(f"{a}.") for a in allowed), module
