"""Bounds of a request that no model and no server goes beyond."""

from __future__ import annotations

__all__ = ["MAX_GUIDANCE", "MAX_PICTURES", "MAX_PROMPT", "MAX_STEPS"]

MAX_PROMPT = 100_000
"""Longest prompt that is checked, in code points."""
MAX_STEPS = 1000
"""Most denoising steps."""
MAX_PICTURES = 16
"""Most pictures of one request; they are drawn in one batch."""
MAX_GUIDANCE = 100.0
"""Highest guidance scale."""
