"""Nothing asks a model hub unless a person names a model that is on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["hub_allowed"]

_CHOSEN_BY_USER = not {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}.isdisjoint(os.environ)

# Before the libraries are imported, which read it once.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@contextmanager
def hub_allowed() -> Iterator[None]:
    """Let the hub be asked inside of the `with`, unless the user's environment says offline."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before and _CHOSEN_BY_USER
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
