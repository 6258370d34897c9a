"""Intervals of shares."""

from __future__ import annotations

import math

__all__ = ["wilson"]

_Z = 1.959963984540054
"""The standard normal's 97.5 % quantile."""


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, within 0..1; (0, 1) where nothing was tried."""
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no share")
    if trials == 0:
        return 0.0, 1.0
    p, z2 = successes / trials, _Z * _Z
    scale = 1 + z2 / trials
    middle = (p + z2 / (2 * trials)) / scale
    half = _Z * math.sqrt(p * (1 - p) / trials + z2 / (4 * trials**2)) / scale
    # The two are exactly equal there, but for rounding, which may put the share outside.
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == trials else middle + half
    return low, high
