"""The container files, as far as they can be checked without a Docker engine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from inkguard.client.process import sidecar
from inkguard_server.settings import load_settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def test_hadolint_finds_nothing() -> None:
    """The Dockerfile is clean."""
    hadolint = Path(sys.executable).with_name("hadolint")
    result = subprocess.run(
        [str(hadolint), str(DEPLOY / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "")


def test_the_image_runs_as_nobody_in_particular() -> None:
    """A numeric user that is not root, set in the last stage."""
    last = (DEPLOY / "Dockerfile").read_text().split("\nFROM ")[-1]
    user = re.search(r"^USER (\d+):(\d+)$", last, re.MULTILINE)
    assert user is not None
    assert int(user[1]) >= 10_000


def test_everything_that_is_copied_exists_and_is_not_ignored() -> None:
    """Each source of a COPY is in the repository and in the ignore file's exceptions."""
    kept = {
        line[1:]
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copies = re.findall(r"^COPY (?!--from)(.+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    sources = [source for copy in copies for source in copy.split()[:-1]]
    assert len(sources) >= 8
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source in kept


def test_the_containers_settings_load() -> None:
    """They listen on the container's network, in so many words."""
    settings = load_settings(DEPLOY / "config.yaml")
    assert settings.listen == "0.0.0.0:50051"
    assert settings.metrics == "0.0.0.0:9464"
    assert settings.allow_plaintext_on_network


def test_compose_publishes_on_loopback_only() -> None:
    """And mounts the scrape configuration that is here, for the sidecar's own name and port."""
    services = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())["services"]
    assert set(services) == {"inkguard", "prometheus"}
    ports = [port for service in services.values() for port in service["ports"]]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    scrape = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scrape["static_configs"] == [{"targets": ["inkguard:9464"]}]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's prometheus is not installed")
def test_promtool_accepts_the_scrape_configuration() -> None:
    """As Prometheus itself would."""
    command = ["promtool", "check", "config", str(DEPLOY / "prometheus.yml")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_health_check_tells_a_running_sidecar_from_none() -> None:
    """Exit code 0 and 1."""
    command = [sys.executable, str(DEPLOY / "healthcheck.py")]
    with sidecar({"decision_log": "/dev/null", "log_level": "error"}) as addresses:
        assert subprocess.run([*command, addresses.grpc], check=False).returncode == 0
    ended = subprocess.run([*command, addresses.grpc], stderr=subprocess.DEVNULL, check=False)
    assert ended.returncode == 1
