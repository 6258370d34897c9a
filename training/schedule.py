"""The noise schedule of the reference U-Nets."""

from __future__ import annotations

import numpy as np


def shifted_cosine(shift: float, steps: int = 1000) -> list[float]:
    """Betas of the cosine schedule with all noise `1 / shift` times as strong.

    The log signal-to-noise ratio is the cosine schedule's (Nichol and Dhariwal 2021, equation 17) plus
    2 log(shift) at every step ("simple diffusion", Hoogeboom et al. 2023, section 3.1). Our pictures are
    flat: where shapes and signs stand shows through noise that hides any one pixel, and by the plain
    schedule all of that would be decided in the first of 20 steps.
    """
    t = np.arange(steps + 1) / steps
    cosine = np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2
    signal = cosine * shift**2 / (cosine * shift**2 + 1 - cosine)
    betas: list[float] = np.clip(1 - signal[1:] / signal[:-1], 0, 0.999).round(8).tolist()
    return betas
