"""What a pipeline call asks for, where it leaves it to the pipeline's defaults."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from guard.substitute.manifest import Manifest

__all__ = ["argument", "first_step", "step_count"]


def argument(pipe: Any, call: Mapping[str, Any], name: str) -> Any:
    """The argument `name` of the pipeline call `call`: given, or the default; None if there is none."""
    if name in call:
        return call[name]
    parameter = inspect.signature(type(pipe).__call__).parameters.get(name)
    default = None if parameter is None else parameter.default
    return None if default is inspect.Parameter.empty else default


def step_count(pipe: Any, call: Mapping[str, Any]) -> int:
    """The steps of the pipeline call `call`; the pipeline's own default where it names none."""
    for name in ("timesteps", "sigmas"):
        if call.get(name) is not None:
            return len(call[name])
    given = call.get("num_inference_steps")
    return int(argument(pipe, {}, "num_inference_steps") if given is None else given)


def first_step(pipe: Any, call: Mapping[str, Any], manifest: Manifest) -> int:
    """How many of the steps that the pipeline call `call` really makes run unedited.

    With a `strength` below 1, image-to-image leaves out the first steps (as diffusers'
    `get_timesteps` counts them). Those are no longer to be waited for.
    """
    steps = step_count(pipe, call)
    strength = argument(pipe, call, "strength")
    made = steps if strength is None else min(steps * strength, steps)
    return max(0, manifest.first_step(steps) - int(max(steps - made, 0)))
