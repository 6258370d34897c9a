"""The command line against a real sidecar, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inkguard.cli.demo import counters
from inkguard.client.process import Addresses, sidecar
from inkguard.errors import GuardError

TOXIC = 'a red sign that says "IDIOT" on a blue background'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    log = tmp_path_factory.mktemp("server") / "decisions.jsonl"
    with sidecar({"decision_log": str(log), "log_level": "warning"}) as addresses:
        yield addresses


def inkguard(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "inkguard", *arguments]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=100, check=False
    )


def test_a_remote_check_answers_like_a_local_one(server: Addresses) -> None:
    """The same JSON object, to the letter."""
    local = inkguard("check", TOXIC, "--json")
    remote = inkguard("check", TOXIC, "--json", "--server", server.grpc)
    assert remote.returncode == 0, remote.stderr
    assert json.loads(remote.stdout) == json.loads(local.stdout)


def test_a_remote_picture_is_the_local_one(server: Addresses, tmp_path: Path) -> None:
    """Pixel for pixel, with the same account of how it came about."""
    arguments = ["generate", "a red circle", "--steps", "2", "--seed", "5", "--json", "--out"]
    local = inkguard(*arguments, str(tmp_path / "local.png"))
    remote = inkguard(*arguments, str(tmp_path / "remote.png"), "--server", server.grpc)
    assert remote.returncode == 0, remote.stderr
    from PIL import Image

    with Image.open(tmp_path / "local.png") as a, Image.open(tmp_path / "remote.png") as b:
        assert a.tobytes() == b.tobytes()
    left, right = json.loads(local.stdout), json.loads(remote.stdout)
    for changing in ("out", "timings"):
        del left[changing], right[changing]
    assert left == right


def test_many_lines_are_answered_in_order(server: Addresses) -> None:
    """A batch goes over the wire at once and comes back in the order of its lines."""
    words = ["IDIOT" if n % 3 == 0 else "HELLO" for n in range(40)]
    lines = "\n".join(
        json.dumps({"id": n, "prompt": f'a sign that says "{w}"'}) for n, w in enumerate(words)
    )
    result = inkguard("check", "--jsonl", "-", "--server", server.grpc, stdin=lines)
    assert result.returncode == 0, result.stderr
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [a["id"] for a in answers] == list(range(40))
    wanted = ["substitute" if w == "IDIOT" else "allow" for w in words]
    assert [a["action"] for a in answers] == wanted


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--policy", "nope"), "NOT_FOUND"),
        (("--tls-cert", "x.pem"), "go together"),
        (("--tls-ca", "/nonexistent.pem"), "/nonexistent.pem"),
    ],
    ids=["policy", "half-mtls", "ca"],
)
def test_a_mistake_is_told_in_a_line(
    server: Addresses, arguments: tuple[str, ...], said: str
) -> None:
    """Exit code 2, what is wrong, no traceback."""
    result = inkguard("check", "a cat", "--server", server.grpc, *arguments)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_the_unguarded_method_is_refused_over_the_wire(server: Addresses, tmp_path: Path) -> None:
    """PERMISSION_DENIED, and no file."""
    out = tmp_path / "x.png"
    arguments = ("generate", TOXIC, "--method", "none", "--out", str(out))
    result = inkguard(*arguments, "--server", server.grpc)
    assert result.returncode == 2
    assert "PERMISSION_DENIED" in result.stderr
    assert not out.exists()


def test_a_server_that_is_not_there_is_told() -> None:
    """UNAVAILABLE within seconds, after retries."""
    result = inkguard("check", "a cat", "--server", "127.0.0.1:1")
    assert result.returncode == 2
    assert "UNAVAILABLE" in result.stderr


def test_the_counters_of_the_demo_are_read_from_metrics(server: Addresses) -> None:
    """They are Prometheus' own samples, by name and labels."""
    before = counters(server.metrics).get("inkguard_requests_total{method=CheckPrompt, status=OK}")
    inkguard("check", "a cat", "--server", server.grpc)
    after = counters(server.metrics)["inkguard_requests_total{method=CheckPrompt, status=OK}"]
    assert after == (before or 0) + 1


def test_a_sidecar_that_cannot_start_says_why(tmp_path: Path) -> None:
    """Also from `inkguard serve` itself: exit code 2 and the setting at fault."""
    with pytest.raises(GuardError, match="queue_limit"), sidecar({"queue_limit": -1}):
        raise AssertionError("it must not start")
    config = tmp_path / "config.yaml"
    config.write_text("listen: 0.0.0.0:0\n")
    result = inkguard("serve", "--config", str(config))
    assert result.returncode == 2
    assert "allow_plaintext_on_network" in result.stderr
