"""What `import guard` gives."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import guard


@pytest.mark.parametrize("name", guard.__all__)
def test_no_public_name_is_also_a_modules(name: str) -> None:
    """Importing a submodule puts it into the package under its name, over whatever stood there."""
    assert name not in {module.name for module in pkgutil.iter_modules(guard.__path__)}


@pytest.mark.parametrize("first", ["guard.draw.guarded_pipeline"])
def test_public_names_are_what_they_are_whatever_was_imported_before(first: str) -> None:
    """`wrap` is a function and `Guard` a class, before and after another import."""
    script = (
        "import contextlib, importlib, inspect\n"
        f"with contextlib.suppress(ModuleNotFoundError): importlib.import_module({first!r})\n"
        "import guard\n"
        "assert inspect.isfunction(guard.wrap), guard.wrap\n"
        "assert inspect.isclass(guard.Guard), guard.Guard\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
