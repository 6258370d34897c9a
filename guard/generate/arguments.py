"""What a pipeline call asks for, where it leaves it to the pipeline's defaults."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from guard.generate.steps import step_count
from guard.substitute.manifest import Manifest

__all__ = ["argument", "first_step"]


def argument(pipe: Any, call: Mapping[str, Any], name: str) -> Any:
    """The argument `name` of the pipeline call `call`: given, or the default; None if there is none."""
    if name in call:
        return call[name]
    parameter = inspect.signature(type(pipe).__call__).parameters.get(name)
    default = None if parameter is None else parameter.default
    return None if default is inspect.Parameter.empty else default


def first_step(pipe: Any, call: Mapping[str, Any], manifest: Manifest) -> int:
    """How many of the steps that the pipeline call `call` really makes run unedited.

    With a `strength` below 1, image-to-image leaves out the first steps (as diffusers'
    `get_timesteps` counts them). Those are no longer to be waited for.
    """
    steps = step_count(pipe, call)
    strength = argument(pipe, call, "strength")
    made = steps if strength is None else min(steps * strength, steps)
    return max(0, manifest.first_step(steps) - int(max(steps - made, 0)))
