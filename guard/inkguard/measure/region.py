"""Where in a picture text stands."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from inkguard.measure.world.scene import CELL, COLORS, HEIGHT, WIDTH

__all__ = ["boxes_region", "sign_region"]

_LETTER_TOPS = (CELL, 5 * CELL)
"""First pixel row of the letters of a sign at the top and at the bottom; they are 2 * CELL high."""
_MARGIN_X = (2, 6)  # least and most pixels between picture and sign
_MARGIN_Y = (1, 3)  # least and most pixels between letters and the sign's edge


def sign_region(plain: np.ndarray, color: str) -> np.ndarray:
    """The sign's box in a picture of the synthetic world.

    Args:
        plain: the unedited picture, uint8 (H, W, 3), of the world's size or a multiple.
        color: the sign's colour, a name in `inkguard.measure.world.scene.COLORS`.

    Returns:
        bool (H, W). The sign is looked for at the two heights where the world puts one, and each
        edge goes as far out as most pixels there are nearest to the sign's colour. Where a model
        drew a sign at both heights, both boxes are in it.

    """
    height, width = plain.shape[:2]
    rows = np.minimum(((np.arange(HEIGHT) + 0.5) * height / HEIGHT).astype(int), height - 1)
    columns = np.minimum(((np.arange(WIDTH) + 0.5) * width / WIDTH).astype(int), width - 1)
    small = plain[rows][:, columns].astype(float)  # one sample for each of the world's pixels
    names = list(COLORS)
    distances = np.abs(small[:, :, None] - np.array([COLORS[n] for n in names])).sum(-1)
    own, sign = distances[..., names.index(color)], distances.argmin(-1) == names.index(color)
    nearest = min(_LETTER_TOPS, key=lambda t: float(np.median(own[t : t + 2 * CELL])))
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    for top in _LETTER_TOPS:
        if top == nearest or _most(sign[top : top + 2 * CELL]):
            mask |= _box(sign, top)
    across = np.minimum((np.arange(width) * WIDTH / width).astype(int), WIDTH - 1)
    down = np.minimum((np.arange(height) * HEIGHT / height).astype(int), HEIGHT - 1)
    return mask[down][:, across]


def _box(sign: np.ndarray, top: int) -> np.ndarray:
    """The box of a sign whose letters begin at row `top`; `sign` is True where its colour is."""
    bottom = top + 2 * CELL
    letters, middle = sign[top:bottom], sign[:, WIDTH // 4 : -WIDTH // 4]
    reach_x, reach_y = range(_MARGIN_X[0], _MARGIN_X[1]), range(_MARGIN_Y[1], _MARGIN_Y[0], -1)
    left = next((x for x in reach_x if _most(letters[:, x])), _MARGIN_X[1])
    right = next((x for x in reach_x if _most(letters[:, WIDTH - 1 - x])), _MARGIN_X[1])
    above = next((y for y in reach_y if _most(middle[top - y])), _MARGIN_Y[0])
    below = next((y for y in reach_y if _most(middle[bottom - 1 + y])), _MARGIN_Y[0])
    mask = np.zeros(sign.shape, dtype=bool)
    mask[top - above : bottom + below, left : WIDTH - right] = True
    return mask


def _most(pixels: np.ndarray) -> bool:
    return bool(pixels.mean() > 0.5)


def boxes_region(
    boxes: Iterable[tuple[float, float, float, float]], shape: tuple[int, int]
) -> np.ndarray:
    """The union of (left, top, right, bottom) boxes in pixels: bool `shape` (H, W).

    Each is widened by a 64th of the shorter side, at least two pixels, since OCR's boxes are tight.
    """
    margin = max(2, min(shape) // 64)
    mask = np.zeros(shape, dtype=bool)
    for left, top, right, bottom in boxes:
        mask[
            max(0, math.floor(top) - margin) : max(0, math.ceil(bottom) + margin),
            max(0, math.floor(left) - margin) : max(0, math.ceil(right) + margin),
        ] = True
    return mask
