"""Every example runs as a stranger would run it: in a new process, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from inkguard.client.process import sidecar

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py"))
HOSTED = {"fastapi_service.py", "sidecar_client.py"}
"""These need a host around them, and have tests of their own."""
CALL = """
from fastapi.testclient import TestClient
from fastapi_service import app

client = TestClient(app)
toxic = client.get("/draw", params={"prompt": 'a red sign that says "LOSER"', "steps": 8})
assert toxic.status_code == 200, toxic.text
assert toxic.content.startswith(b"\\x89PNG"), toxic.headers
assert toxic.headers["x-inkguard-action"] == "substitute", toxic.headers
assert client.get("/draw", params={"prompt": "  "}).status_code == 422
"""


def run(folder: Path, *arguments: str) -> str:
    """What a Python process prints; it must end well."""
    paths = [str(EXAMPLES), str(ROOT / "guard"), str(ROOT / "server"), *filter(None, sys.path)]
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", sorted({*SCRIPTS} - HOSTED))
def test_a_script_runs(name: str, tmp_path: Path) -> None:
    """It ends without an error, and leaves a picture or prints what it found."""
    printed = run(tmp_path, str(EXAMPLES / name))
    assert printed or list(tmp_path.glob("*.png"))


def test_a_prompt_is_rewritten_for_another_engine(tmp_path: Path) -> None:
    """A harmless prompt stays as it is, and a toxic one loses its word."""
    printed = run(tmp_path, str(EXAMPLES / "check_before_another_engine.py"))
    assert "'a sign that says \"HELLO\"'" in printed
    assert "LOSER" not in printed
    assert "None" not in printed


def test_the_http_service_draws_under_guard(tmp_path: Path) -> None:
    """A toxic prompt gives a picture, and bad input gives 422."""
    run(tmp_path, "-c", CALL)


def test_the_client_talks_to_a_real_server(tmp_path: Path) -> None:
    """The server is a process of its own; the example is given its address."""
    with sidecar({}) as addresses:
        printed = run(tmp_path, str(EXAMPLES / "sidecar_client.py"), addresses.grpc)
    assert "substitute instead:" in printed
    assert (tmp_path / "sign.png").exists()


def test_the_policys_own_tests_pass(tmp_path: Path) -> None:
    """With the word lists alone, as its page says."""
    policy = str(EXAMPLES / "my_policy" / "policy.yaml")
    assert "7 of 7" in run(tmp_path, "-m", "inkguard", "policy", "test", policy, "--lists-only")


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_is_short_and_listed(name: str) -> None:
    """At most 100 lines, and named on the examples' page."""
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) <= 100
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert name in re.findall(r"\]\(([^)]+)\)", page)
