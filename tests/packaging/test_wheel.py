"""What a user gets who installs the wheel without an extra: the real wheel, in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from inkguard.check.checker import Checker
from inkguard.client.process import sidecar
from inkguard.extras import PACKAGES
from inkguard.policy.load import load_policy

ROOT = Path(__file__).parents[2]
PROMPT = 'a red sign that says "IDIOT"'


@dataclass(frozen=True)
class Thin:
    """An environment with the wheel, its base dependencies, and nothing else."""

    python: Path

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=cwd or self.python.parent,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def said(self, script: str, cwd: Path | None = None) -> str:
        """What a script prints, which must succeed."""
        done = self.run("-c", script, cwd=cwd)
        assert done.returncode == 0, done.stderr
        return done.stdout


def pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    return subprocess.run(
        [*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    made = pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), ".")
    assert made.returncode == 0, made.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def thin(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Thin:
    folder = tmp_path_factory.mktemp("thin")
    if pip("download", "--no-deps", "--dest", str(folder), "rich").returncode != 0:
        pytest.skip("pip reaches no package index here")
    # Without pip in it: the one that is here installs, in half the time.
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True
    )
    python = folder / "venv" / "bin" / "python"
    installed = pip("--python", str(python), "install", "--no-compile", str(wheel))
    assert installed.returncode == 0, installed.stderr
    return Thin(python)


def test_the_wheel_has_its_packages_its_data_and_their_types(wheel: Path) -> None:
    """Two packages with `py.typed`; policies, and the weights of what runs: the judge serves training only."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "inkguard",
        "inkguard_server",
    }
    assert {"inkguard/py.typed", "inkguard_server/py.typed"} <= set(names)
    assert "inkguard/_policies/default.yaml" in names
    models = {name.split("/")[2] for name in names if name.startswith("inkguard/_models/")}
    assert models == {"if-tiny", "sd3-tiny", "sdxl-tiny", "toxicity"}
    tests = [name for name in names if "test" in name.lower()]
    assert tests == ["inkguard/cli/policy/testing.py"]
    assert not [name for name in names if name.endswith((".proto", ".lock", ".pyc"))]


def test_none_of_the_models_packages_comes_with_it(thin: Thin) -> None:
    """No extra's package is a dependency of the base, directly or through another one."""
    found = thin.said(
        "from importlib.util import find_spec\n"
        f"print(*(name for name in {sorted(PACKAGES)!r} if find_spec(name)))"
    )
    assert found.split() == []


def test_the_word_lists_decide_there_as_here(thin: Thin) -> None:
    """The decision by the lists of the shipped policy is the same, to the last offset."""
    here = Checker(replace(load_policy(), detoxify={}), None).check(PROMPT)
    there = thin.said(
        "import json\n"
        "from dataclasses import replace\n"
        "from inkguard import Checker, load_policy\n"
        "checker = Checker(replace(load_policy(), detoxify={}), None)\n"
        f"print(json.dumps(checker.check({PROMPT!r}).to_json()))"
    )
    assert here.findings
    assert json.loads(there) == here.to_json()


def test_every_public_name_is_there_or_says_what_to_install(thin: Thin) -> None:
    """Only what draws, or reads what was drawn, needs more than the base."""
    script = """
import inkguard
for name in inkguard.__all__:
    try:
        getattr(inkguard, name)
    except inkguard.MissingExtra as error:
        assert str(error).endswith("pip install 'inkguard[draw]'"), error
        print(name)
"""
    assert set(thin.said(script).split()) == {
        "Guard",
        "GuardedPipeline",
        "Manifest",
        "Reader",
        "register_family",
        "wrap",
    }


def test_a_command_that_needs_more_names_the_extra(thin: Thin, tmp_path: Path) -> None:
    """One line and exit code 2, which is no decision: a guard that is not there allows nothing."""
    extras = {
        ("check", PROMPT): "classifier",
        ("policy", "explain", PROMPT): "classifier",
        ("generate", PROMPT): "draw",
        ("serve",): "server",
        ("demo",): "all",
        ("evaluate", "--out", "out"): "measure",
        ("localize", "--model", "sd3-tiny", "--out", "out"): "measure",
    }
    script = """
import contextlib, io, json, sys
from inkguard.cli.main import main

def ended(arguments):
    sys.argv, out, err = ["inkguard", *arguments], io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            return end.code, out.getvalue(), err.getvalue()

"""
    told = thin.said(f"{script}print(json.dumps([ended(a) for a in {list(extras)!r}]))", tmp_path)
    for extra, (code, out, err) in zip(extras.values(), json.loads(told), strict=True):
        assert (code, out) == (2, ""), err
        assert len(err.strip().splitlines()) == 1
        assert f"pip install 'inkguard[{extra}]'" in err


def test_policies_are_explained_by_the_lists_alone(thin: Thin) -> None:
    """As the error of `policy explain` without the option says."""
    done = thin.run("-m", "inkguard", "policy", "explain", PROMPT, "--lists-only")
    assert done.returncode == 0, done.stderr
    assert "substitute" in done.stdout


def test_the_client_asks_a_real_sidecar(thin: Thin, tmp_path: Path) -> None:
    """From a folder with a `server.py` and a `guard.py` of its user's: those are no names of inkguard's."""
    for name in ("guard.py", "server.py"):
        (tmp_path / name).write_text("raise SystemExit('the user has a module of this name')")
    with sidecar({"decision_log": "/dev/null", "log_level": "error"}) as addresses:
        (tmp_path / "program.py").write_text(f"""
from inkguard import Blocked, Request
from inkguard.client import Client
with Client({addresses.grpc!r}) as client:
    print(client.check({PROMPT!r}).action)
    print(client.generate(Request(prompt="a red circle", steps=2)).images[0].size)
""")
        done = thin.run("program.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["substitute", "(96, 64)"]
