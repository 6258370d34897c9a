"""What `import inkguard` gives."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import inkguard


@pytest.mark.parametrize("name", inkguard.__all__)
def test_no_public_name_is_also_a_modules(name: str) -> None:
    """Importing a submodule puts it into the package under its name, over whatever stood there."""
    assert name not in {module.name for module in pkgutil.iter_modules(inkguard.__path__)}


@pytest.mark.parametrize("first", ["inkguard.draw.guarded_pipeline"])
def test_public_names_are_what_they_are_whatever_was_imported_before(first: str) -> None:
    """`wrap` is a function and `Guard` a class, before and after another import."""
    script = (
        "import contextlib, importlib, inspect\n"
        f"with contextlib.suppress(ModuleNotFoundError): importlib.import_module({first!r})\n"
        "import inkguard\n"
        "assert inspect.isfunction(inkguard.wrap), inkguard.wrap\n"
        "assert inspect.isclass(inkguard.Guard), inkguard.Guard\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
