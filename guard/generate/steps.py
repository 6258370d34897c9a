"""How many denoising steps a pipeline call makes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

__all__ = ["step_count"]


def step_count(pipe: Any, call: Mapping[str, Any]) -> int:
    """The steps of the pipeline call `call`; the pipeline's own default where it names none."""
    for name in ("timesteps", "sigmas"):
        if call.get(name) is not None:
            return len(call[name])
    given = call.get("num_inference_steps")
    if given is not None:
        return int(given)
    return int(inspect.signature(type(pipe).__call__).parameters["num_inference_steps"].default)
