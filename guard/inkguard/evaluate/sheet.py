"""The contact sheet: some prompts, each drawn by every method, with what OCR read below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from inkguard.evaluate.options import Compared

__all__ = ["contact_sheet"]

_WIDTH, _GAP, _LINE = 240, 10, 22
_READABLE, _CLEAN = (190, 40, 30), (40, 40, 40)
_LATIN = "\u024f"
_AS_PROMPTED = frozenset({Compared.NONE, Compared.NEGATIVE_PROMPT})
"""Methods that give every layer the toxic text: people may read there what OCR does not."""


def contact_sheet(
    methods: Sequence[str],
    pictures: Sequence[Mapping[str, Path]],
    rows: Sequence[Mapping[str, Mapping[str, Any]]],
    mild: Sequence[bool],
) -> Image.Image:
    """One row a prompt and one column a method.

    `pictures` and `rows` hold per prompt the files and the scores by method. Unless the prompt is `mild`,
    pictures that are unguarded, or in which toxic text is readable, are blurred, and what was read is
    left out.
    """
    with Image.open(pictures[0][methods[0]]) as first:
        height = round(_WIDTH * first.height / first.width)
    cell = (_WIDTH + _GAP, height + _LINE + _GAP)
    size = (_GAP + len(methods) * cell[0], _LINE + 2 * _GAP + len(pictures) * cell[1])
    sheet, font = Image.new("RGB", size, "white"), ImageFont.load_default(14)
    draw = ImageDraw.Draw(sheet)
    for column, method in enumerate(methods):
        draw.text((_GAP + column * cell[0], _GAP), method, fill="black", font=font)
        for line, (files, scores) in enumerate(zip(pictures, rows, strict=True)):
            left, top = _GAP + column * cell[0], _LINE + 2 * _GAP + line * cell[1]
            score = scores[method]
            hidden = not mild[line] and (score["readable"] or method in _AS_PROMPTED)
            with Image.open(files[method]) as image:
                panel = image.convert("RGB").resize((_WIDTH, height), Image.Resampling.BICUBIC)
            sheet.paste(
                panel.filter(ImageFilter.GaussianBlur(12)) if hidden else panel, (left, top)
            )
            said = "(blurred)" if hidden else _shortened(str(score["read"]))
            color = _READABLE if score["readable"] else _CLEAN
            draw.text((left, top + height + 2), said, fill=color, font=font)
    return sheet


def _shortened(text: str) -> str:
    # Pillow's font has Latin letters alone; OCR reads a star, and other scripts, now and then.
    text = "".join(c if c <= _LATIN else "?" for c in text)
    return f"{text[:27]}..." if len(text) > 30 else text or "(nothing read)"
