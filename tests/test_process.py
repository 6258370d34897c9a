"""A host's process stays as it is; the command's own is set up. Each test runs in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_OURS = (
    "DIFFUSERS_VERBOSITY",
    "HF_HUB_DISABLE_PROGRESS_BARS",
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "TRANSFORMERS_VERBOSITY",
)
_LIBRARIES = """
import ahocorasick, detoxify, diffusers, huggingface_hub, re2, safetensors, symspellpy, torch, transformers
import onnxruntime, rapidocr_onnxruntime, tqdm
tqdm.tqdm(total=1, disable=True)  # the first one starts a monitor, which ends at exit
"""
_SNAPSHOT = """
import atexit, locale, logging, os, random, signal, sys, threading, warnings

def state():
    found = {
        "environment": dict(os.environ),
        "working directory": os.getcwd(),
        "warnings": list(warnings.filters),
        "logging disabled": logging.root.manager.disable,
        "exit": atexit._ncallbacks(),
        "signals": [signal.getsignal(n) for n in signal.valid_signals()],
        "hooks": [sys.excepthook, threading.excepthook, sys.displayhook, logging.lastResort],
        "locale": locale.setlocale(locale.LC_ALL),
        "recursion": sys.getrecursionlimit(),
        "random": random.getstate(),
    }
    for name in ("", "diffusers", "transformers", "huggingface_hub", "torch", "PIL", "onnxruntime"):
        logger = logging.getLogger(name)
        found[f"logger {name}"] = (
            logger.level, logger.propagate, logger.disabled, list(logger.handlers), list(logger.filters)
        )
    if torch := sys.modules.get("torch"):
        found["torch"] = (
            torch.get_num_threads(), torch.get_num_interop_threads(), torch.get_default_dtype(),
            torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled(),
        )
    if constants := sys.modules.get("huggingface_hub.constants"):
        found["hub"] = {k: v for k, v in vars(constants).items() if k.isupper()}
        found["hub's bars"] = sys.modules["huggingface_hub.utils"].are_progress_bars_disabled()
    for name in ("diffusers", "transformers"):
        if library := sys.modules.get(f"{name}.utils.logging"):
            found[name] = (library.get_verbosity(), library.is_progress_bar_enabled())
    return found

def unchanged(before, what):
    after = state()
    changed = {k: (v, after.get(k)) for k, v in before.items() if after.get(k) != v}
    assert not changed, (what, changed)
"""
_ALLOWED = """
from huggingface_hub import constants
from inkguard.process import hub_allowed
assert constants.HF_HUB_OFFLINE
with hub_allowed():
    assert not constants.HF_HUB_OFFLINE
assert constants.HF_HUB_OFFLINE
"""
"""The process's owner closed the hub, and who asks for it by intent may use it."""
_NO_NETWORK = """
import sys
tried = []

def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        tried.append((event, arguments))
        raise OSError("there is no network")

sys.addaudithook(hook)
"""


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**{k: v for k, v in os.environ.items() if k not in _OURS}, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return done


def others_of(done: subprocess.CompletedProcess[str]) -> str:
    """Imports of all that a script imported of others: what those change is not the guard's doing."""
    names = done.stdout.rpartition("MODULES")[2].split()
    others = [
        n for n in names if n.split(".")[0] not in ("inkguard", "inkguard_server", "__main__")
    ]
    return f"""
import contextlib, importlib
for name in {others!r}:
    with contextlib.suppress(Exception):
        importlib.import_module(name)
"""


def test_importing_the_guard_changes_nothing() -> None:
    """And loads no model library, so that it takes no time."""
    others = others_of(run("import inkguard, sys\nprint('MODULES', *sys.modules)"))
    run(f"""{_SNAPSHOT}{others}
before = state()
import inkguard
unchanged(before, "import inkguard")
assert not {{"torch", "diffusers", "transformers", "huggingface_hub"}} & sys.modules.keys()
""")


@pytest.fixture(scope="module")
def used() -> subprocess.CompletedProcess[str]:
    """A process with the hub open, as a host has it, that loaded every model and drew."""
    return run(f"""{_NO_NETWORK}
from inkguard import Guard, Request, wrap
from inkguard.draw.load import embedded_models, load_pipeline
for model in embedded_models():
    load_pipeline(model)
guard = Guard.load()
wrap(guard.pipeline._pipe)
outcome = guard.generate(Request(prompt='a red sign that says "you IDIOT"', steps=2))
assert outcome.decision.reason != "classifier_error"
assert outcome.image
from huggingface_hub import constants
assert not constants.HF_HUB_OFFLINE
print(len(tried), "MODULES", *sys.modules)
""")


def test_as_a_library_it_asks_no_network(used: subprocess.CompletedProcess[str]) -> None:
    """No connection and no name is even tried."""
    assert used.stdout.split()[0] == "0"


def test_loading_and_drawing_change_nothing(used: subprocess.CompletedProcess[str]) -> None:
    """In a host that has set the libraries up in its own way."""
    run(f"""{_SNAPSHOT}{_LIBRARIES}{others_of(used)}
torch.set_num_threads(3)
diffusers.utils.logging.set_verbosity(35)
transformers.utils.logging.set_verbosity(36)
logging.getLogger("huggingface_hub").setLevel(logging.DEBUG)
before = state()
import inkguard
unchanged(before, "import inkguard")
from inkguard import Guard, Request, wrap
unchanged(before, "from inkguard import Guard, wrap")
loaded = Guard.load()
unchanged(before, "Guard.load()")
request = Request(prompt='a red sign that says "IDIOT"', steps=2)
assert loaded.check(request.prompt).donor_prompt
unchanged(before, "check")
assert loaded.generate(request).image
unchanged(before, "generate")
wrap(loaded.pipeline._pipe)
unchanged(before, "wrap")
""")


def test_the_command_closes_the_hub_and_keeps_prompts_from_standard_error() -> None:
    """A prompt that is much too long for the model is cut, which its libraries would quote."""
    words = " ".join(f"zyxword{n}" for n in range(400))
    done = run(f"""{_NO_NETWORK}
import sys, tempfile
out = tempfile.mkdtemp() + "/x.png"
sys.argv = ["inkguard", "generate", {words!r}, "--steps", "1", "--out", out]
from inkguard.cli.main import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended
from huggingface_hub import constants
import diffusers, os, transformers
assert constants.HF_HUB_OFFLINE
assert constants.HF_HUB_DISABLE_PROGRESS_BARS
assert diffusers.utils.logging.get_verbosity() == transformers.utils.logging.get_verbosity() == 40
assert not tried, tried
""")
    assert "zyxword" not in done.stderr


def test_python_dash_m_is_the_command() -> None:
    """It owns its process too: the hub is closed, but for who allows it by intent."""
    run(f"""
import runpy, sys
sys.argv = ["inkguard", "policy", "--help"]
try:
    runpy.run_module("inkguard", run_name="__main__")
except SystemExit as ended:
    assert not ended.code, ended
import huggingface_hub.utils
assert huggingface_hub.utils.are_progress_bars_disabled()
{_ALLOWED}
""")


def test_whoever_owns_the_process_may_set_it_up_after_the_libraries() -> None:
    """The hub is closed, the bars are off, and only errors are logged."""
    run(f"""
import diffusers, huggingface_hub.utils, transformers
from inkguard.process import own_process
own_process()
own_process()
assert huggingface_hub.utils.are_progress_bars_disabled()
assert diffusers.utils.logging.get_verbosity() == transformers.utils.logging.get_verbosity() == 40
{_ALLOWED}
""")


@pytest.mark.parametrize("imported", ["", "import diffusers"], ids=["before", "after"])
def test_a_level_that_the_user_has_set_wins(imported: str) -> None:
    """What the environment says of logging stays so, whenever the process is owned."""
    run(
        f"""{imported}
from inkguard.process import own_process
own_process()
import diffusers
assert diffusers.utils.logging.get_verbosity() == 20, diffusers.utils.logging.get_verbosity()
""",
        DIFFUSERS_VERBOSITY="info",
    )


@pytest.mark.parametrize("imported", ["", "import huggingface_hub.utils"], ids=["before", "after"])
@pytest.mark.parametrize(
    ("variable", "value", "closed"),
    [
        ("HF_HUB_OFFLINE", "1", True),
        ("TRANSFORMERS_OFFLINE", "1", True),
        ("HF_HUB_OFFLINE", "0", False),
    ],
)
def test_what_the_user_has_set_of_the_hub_wins(
    variable: str, value: str, closed: bool, imported: str
) -> None:
    """A hub that is closed or opened in the environment stays so."""
    run(
        f"""{imported}
import os
before = dict(os.environ)
from inkguard.process import hub_allowed, own_process
own_process()
assert {{k: os.environ[k] for k in before}} == before
from huggingface_hub import constants
assert constants.HF_HUB_OFFLINE is {closed}
with hub_allowed():
    assert constants.HF_HUB_OFFLINE is {closed}
""",
        **{variable: value},
    )


def test_a_host_whose_hub_is_open_may_name_a_model_that_is_on_it() -> None:
    """Nobody called `own_process`: what the host's environment says of the hub is left alone."""
    run("""
from huggingface_hub import constants
from inkguard.process import hub_allowed
for offline in (False, True):
    constants.HF_HUB_OFFLINE = offline
    with hub_allowed():
        assert constants.HF_HUB_OFFLINE is offline
    assert constants.HF_HUB_OFFLINE is offline
""")
