"""The noise schedule of the reference U-Nets."""

from __future__ import annotations

import numpy as np
import pytest

from training.schedule import shifted_cosine


def _log_snr(betas: list[float]) -> np.ndarray:
    signal = np.cumprod(1 - np.array(betas))
    ratio: np.ndarray = np.log(signal / (1 - signal))
    return ratio


@pytest.mark.parametrize("shift", [0.25, 0.5, 2.0])
def test_a_shift_moves_every_signal_to_noise_ratio_alike(shift: float) -> None:
    """By 2 log(shift), up to the last steps, where betas are clipped."""
    moved = _log_snr(shifted_cosine(shift)) - _log_snr(shifted_cosine(1.0))
    assert moved[:950] == pytest.approx(2 * np.log(shift), abs=0.02)


def test_noise_only_grows() -> None:
    """From almost a clean picture to almost pure noise."""
    ratio = _log_snr(shifted_cosine(0.25))
    assert (np.diff(ratio) < 0).all()
    assert ratio[0] > 5
    assert ratio[-1] < -12
