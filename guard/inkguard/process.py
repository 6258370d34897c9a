"""What only the owner of a process may set: the environment, and the switches of the models' libraries.

A library leaves its host as it is, so that `import inkguard` and `Guard.load` set none of this. The command,
the server that it starts, and the mains of training and measuring own their process; they call `own_process`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

__all__ = ["hub_allowed", "own_process", "without_bars"]

_OFFLINE = frozenset(("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
_LOGGING = {
    "TRANSFORMERS_VERBOSITY": "transformers.utils.logging",
    "DIFFUSERS_VERBOSITY": "diffusers.utils.logging",
}
_closed = False
"""Whether it was we, and not the user, who closed the model hub."""


def own_process() -> None:
    """Close the model hub, and keep the libraries from showing bars and from logging parts of prompts.

    What the user has set in the environment wins. Best called before the libraries are imported, which
    read the environment then; those that are imported already are told.
    """
    global _closed  # noqa: PLW0603 - it is a fact about the process
    if _OFFLINE.isdisjoint(os.environ):
        os.environ["HF_HUB_OFFLINE"] = "1"
        _closed = True
    constants = sys.modules.get("huggingface_hub.constants")
    if _closed and constants is not None:
        constants.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
    # A bar for each part of a small model is noise; the command line shows its own progress.
    if "HF_HUB_DISABLE_PROGRESS_BARS" not in os.environ:
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
        if bars := sys.modules.get("huggingface_hub.utils"):
            bars.disable_progress_bars()
    # Both libraries log parts of prompts (what was truncated), and prompts must not reach a log.
    for variable, module in _LOGGING.items():
        if variable not in os.environ:
            os.environ[variable] = "error"
            if logging := sys.modules.get(module):
                logging.set_verbosity_error()


@contextmanager
def hub_allowed() -> Iterator[None]:
    """Let the hub be asked inside of the `with`, unless the user's environment says offline."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before and not _closed
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@contextmanager
def without_bars(*libraries: Any) -> Iterator[None]:
    """Let nothing show how far it has come inside of the `with`; `libraries` are their logging modules.

    The bars are then as they were: whether others show any is not ours to say.
    """
    with ExitStack() as stack:
        for library in libraries:
            if library.is_progress_bar_enabled():
                library.disable_progress_bar()
                stack.callback(library.enable_progress_bar)
        yield
