"""A real Prometheus scrapes a real sidecar, and its figures are what was sent."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from inkguard.client import CallError, Client
from inkguard.client.process import sidecar
from inkguard.types import Request

HARMLESS = 'a cyan sign that says "WELCOME"'
TOXIC = 'a red sign that says "IDIOT"'


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def query(address: str, promql: str) -> dict[tuple[str, ...], float]:
    """An instant query: label values (sorted by label) to value; empty while it is not up."""
    url = f"http://{address}/api/v1/query?{urlencode({'query': promql})}"
    try:
        with urlopen(url, timeout=5) as response:
            rows = json.load(response)["data"]["result"]
    except URLError:
        return {}
    return {tuple(v for _, v in sorted(r["metric"].items())): float(r["value"][1]) for r in rows}


def until(found: Callable[[], object], expected: object, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while (last := found()) != expected:
        assert time.monotonic() < deadline, f"{last} is not {expected}"
        time.sleep(0.3)


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="Debian's prometheus is missing")
def test_prometheus_returns_what_was_sent(tmp_path: Path) -> None:
    """Requests by method and status, decisions by action, stages: exactly the calls that were made."""
    port = free_port()
    with sidecar({"decision_log": "/dev/null", "log_level": "error"}) as addresses:
        scrape = {
            "job_name": "inkguard",
            "scrape_interval": "1s",
            "static_configs": [{"targets": [addresses.metrics]}],
        }
        config = tmp_path / "prometheus.yml"
        config.write_text(yaml.safe_dump({"scrape_configs": [scrape]}))
        command = [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as prometheus:
            try:
                with Client(addresses.grpc) as client:
                    for prompt in [HARMLESS] * 5 + [TOXIC] * 3:
                        client.check(prompt)
                    with pytest.raises(CallError):
                        client.check("")
                    client.generate(Request(prompt=HARMLESS, steps=2))
                at = f"127.0.0.1:{port}"
                until(
                    lambda: query(at, "sum by (method, status) (inkguard_requests_total)"),
                    {
                        ("CheckPrompt", "OK"): 8.0,
                        ("CheckPrompt", "INVALID_ARGUMENT"): 1.0,
                        ("GenerateImage", "OK"): 1.0,
                    },
                )
                until(
                    lambda: query(at, "sum by (action) (inkguard_decisions_total)"),
                    {("allow",): 6.0, ("substitute",): 3.0},
                )
                until(
                    lambda: (
                        query(at, 'inkguard_stage_seconds_count{stage="denoise"}').values()
                        and sum(query(at, 'inkguard_stage_seconds_count{stage="denoise"}').values())
                    ),
                    1.0,
                )
                until(lambda: sum(query(at, 'up{job="inkguard"}').values()), 1.0)
            finally:
                prometheus.terminate()
