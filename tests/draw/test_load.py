"""Which models are asked for where: a real hub client against a server of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from inkguard.draw.load import load_pipeline, loaded_from
from inkguard.errors import ModelError

CUDA = torch.cuda.is_available()
NAME = "org/model"
SCRIPT = f"""
import sys
from inkguard.process import own_process
if "library" not in sys.argv:
    own_process()
from inkguard.errors import ModelError
from inkguard.draw.load import load_pipeline
from huggingface_hub import constants
try:
    load_pipeline({NAME!r}, hub=True)
except ModelError as error:
    print(error)
print("closed again:", constants.HF_HUB_OFFLINE)
"""


@pytest.fixture
def hub() -> Iterator[tuple[str, list[str]]]:
    """The address of a hub that has no models, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def load(address: str, home: Path, *arguments: str, **environment: str) -> str:
    """What loading the model prints, in a process with a cache of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.endswith("_OFFLINE")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        env={**kept, "HF_ENDPOINT": address, "HF_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_named_hub_model_is_asked_for_on_the_hub(
    hub: tuple[str, list[str]], tmp_path: Path
) -> None:
    """Without any variable set; afterwards the hub is closed as before."""
    address, asked = hub
    printed = load(address, tmp_path)
    assert any(f"/api/models/{NAME}" in path for path in asked)
    assert "cannot be had from the model hub" in printed
    assert "closed again: True" in printed


def test_a_library_asks_the_hub_where_its_caller_allows_it(
    hub: tuple[str, list[str]], tmp_path: Path
) -> None:
    """The host's hub is open before, and stays open."""
    address, asked = hub
    printed = load(address, tmp_path, "library")
    assert any(f"/api/models/{NAME}" in path for path in asked)
    assert "closed again: False" in printed


def test_a_user_who_said_offline_stays_offline(hub: tuple[str, list[str]], tmp_path: Path) -> None:
    """Not one request leaves the process."""
    address, asked = hub
    printed = load(address, tmp_path, HF_HUB_OFFLINE="1")
    assert not asked
    assert "cannot be had from the model hub" in printed


@pytest.mark.parametrize(
    "device",
    ["nowhere", pytest.param("cuda", marks=pytest.mark.skipif(CUDA, reason="it is there"))],
)
def test_a_device_that_is_not_there_is_a_mistake_in_one_line(device: str) -> None:
    """Told before the model is loaded, with torch's reason in brackets and not as its traceback."""
    with pytest.raises(
        ModelError, match=rf"^device: torch cannot compute on '{device}' here"
    ) as error:
        load_pipeline("sd3-tiny", device=device)
    assert "\n" not in str(error.value)


def test_a_pipeline_knows_the_folder_that_it_came_from(tmp_path: Path) -> None:
    """So `wrap` compares the weights there with the manifest's, as the command line does."""
    pipe, folder = load_pipeline("sd3-tiny")
    assert loaded_from(pipe) == folder
    pipe.register_to_config(_name_or_path=str(tmp_path))
    assert loaded_from(pipe) is None
