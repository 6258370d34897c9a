"""What a pipeline call asks for, where it leaves it to the pipeline's defaults."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

from inkguard.manifests.manifest import Manifest

__all__ = [
    "argument",
    "first_step",
    "pictures_each",
    "step_count",
    "steps_made",
    "takes",
]


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
    `get_timesteps` counts them), and SDXL does so with a `denoising_start`. Those are no longer to
    be waited for.
    """
    steps = step_count(pipe, call)
    return max(0, manifest.first_step(steps) - _left_out(pipe, call, steps))


def steps_made(pipe: Any, call: Mapping[str, Any]) -> int:
    """How many steps the pipeline call `call` really makes, of those that it names.

    An SDXL base that hands on to a refiner leaves out the last ones with `denoising_end`.
    """
    steps = step_count(pipe, call)
    end = argument(pipe, call, "denoising_end")
    last = math.floor(steps * end) if isinstance(end, float) and 0 < end < 1 else steps
    return max(0, last - _left_out(pipe, call, steps))


def pictures_each(pipe: Any, call: Mapping[str, Any]) -> int:
    """How many pictures the pipeline call `call` draws of each prompt."""
    return int(argument(pipe, call, "num_images_per_prompt") or 1)


def takes(pipe: Any, name: str) -> bool:
    """Whether the pipeline's call has an argument `name`."""
    return name in inspect.signature(type(pipe).__call__).parameters


def _left_out(pipe: Any, call: Mapping[str, Any], steps: int) -> int:
    start = argument(pipe, call, "denoising_start")
    if start is not None:  # instead of the strength; rounded as the scheduler's spacing may
        return math.ceil(steps * start)
    strength = argument(pipe, call, "strength")
    made = steps if strength is None else min(steps * strength, steps)
    # Pipelines with a U-Net round what they make, and those with a transformer what they leave out.
    return steps - int(made) if hasattr(pipe, "unet") else int(max(steps - made, 0))
