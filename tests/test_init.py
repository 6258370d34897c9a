"""What `import inkguard` gives."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib.metadata import version

import pytest

import inkguard

_LIGHT = (
    "inkguard.client",
    "inkguard.check.checker",
    "inkguard.policy.load",
    "inkguard.cli.main",
    "inkguard_server.app",
)


def run(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_each_public_name_is_there_and_told_by_dir() -> None:
    """The same object each time; another name is an AttributeError, as in any module."""
    names = inkguard.__all__
    assert len(set(names)) == len(names)
    for name in names:
        assert getattr(inkguard, name) is getattr(inkguard, name)
    assert set(names) <= set(dir(inkguard))
    with pytest.raises(AttributeError, match="no attribute 'Guards'"):
        _ = inkguard.Guards  # type: ignore[attr-defined]


def test_the_version_is_the_installed_distributions() -> None:
    """There is one place for it: pyproject.toml."""
    assert inkguard.__version__ == version("inkguard")


@pytest.mark.parametrize("name", inkguard.__all__)
def test_no_public_name_is_also_a_modules(name: str) -> None:
    """Importing a submodule puts it into the package under its name, over whatever stood there."""
    assert name not in {module.name for module in pkgutil.iter_modules(inkguard.__path__)}


def test_public_names_are_what_they_are_whatever_was_imported_before() -> None:
    """`wrap` is a function and `Guard` a class, before and after another import."""
    run("""
import importlib, inspect
importlib.import_module("inkguard.draw.guarded_pipeline")
import inkguard
assert inspect.isfunction(inkguard.wrap), inkguard.wrap
assert inspect.isclass(inkguard.Guard), inkguard.Guard
""")


def test_the_check_the_client_and_the_command_load_no_model_library() -> None:
    """They start in a fraction of a second, and work where none is installed."""
    run(f"""
import importlib, sys
for name in {_LIGHT!r}:
    importlib.import_module(name)
    loaded = {{"numpy", "torch", "diffusers", "transformers", "detoxify"}} & sys.modules.keys()
    assert not loaded, (name, loaded)
""")
