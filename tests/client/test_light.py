"""What the client needs to be installed: gRPC and the records, and no model library."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    *("torch", "diffusers", "transformers", "detoxify", "safetensors", "numpy", "PIL"),
    *("onnxruntime", "rapidocr", "pydantic", "prometheus_client", "structlog", "inkguard_server"),
)


@pytest.mark.parametrize(
    "module", ["inkguard", "inkguard.types", "inkguard.wire.convert", "inkguard.client"]
)
def test_no_model_library_is_imported(module: str) -> None:
    """Nor anything of the server: a client runs where none of them is installed."""
    script = f"import sys, {module}\nprint(*sorted(set({HEAVY!r}) & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
