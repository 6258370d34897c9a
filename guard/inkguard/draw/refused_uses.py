"""Uses of a guarded pipeline that would leave its guard behind, and what to do instead: data."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FIXED", "UNGUARDED"]

_PARTS = "its parts make a pipeline without a guard"
_NEW = "what it returns is a pipeline without a guard"
UNGUARDED: Mapping[str, str] = {
    "components": f"{_PARTS}: use guarded.as_class(SomePipeline) for another class over the same parts",
    "progress_bar": "a pipeline's own `__call__` was entered around the guard: call the guarded pipeline",
    "from_pipe": f"{_NEW}: use guarded.as_class(SomePipeline), or wrap what from_pipe makes of the bare one",
    "from_pretrained": f"{_NEW}: wrap what the class's own from_pretrained returns",
    "from_single_file": f"{_NEW}: wrap what the class's own from_single_file returns",
}
"""Attributes of a pipeline that would take the guard off, and what to do instead."""
FIXED: Mapping[str, str] = {
    "__class__": "use guarded.as_class(SomePipeline) for another class over the same parts",
    "prompt_template_encode": "the model reads it with every prompt: set it on the bare pipeline, and wrap that",
}
"""Attributes that cannot be set on a guarded pipeline, and what to do instead."""
