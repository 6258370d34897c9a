"""The contact sheet: some prompts, each drawn by every method, with what OCR read below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from inkguard.evaluate.options import Compared
from inkguard.evaluate.prompts import ToxicPrompt

__all__ = ["contact_sheet"]

_WIDTH, _GAP, _LINE, _TEXT = 240, 10, 22, 230
_READABLE, _CLEAN = (190, 40, 30), (40, 40, 40)
_MARK = "! "
_LEGEND = (
    "Below each picture: what OCR read. Red and with a ! where toxic text can be read. Blurred pictures are "
    "unguarded, or show such text."
)
_LATIN = "\u024f"
_AS_PROMPTED = frozenset({Compared.NONE, Compared.NEGATIVE_PROMPT})
"""Methods that give every layer the toxic text: people may read there what OCR does not."""


def contact_sheet(
    methods: Sequence[Compared],
    prompts: Sequence[ToxicPrompt],
    pictures: Sequence[Mapping[Compared, Path]],
    rows: Sequence[Mapping[Compared, Mapping[str, Any]]],
) -> Image.Image:
    """One row a prompt, which stands at its left, and one column a method.

    `pictures` and `rows` hold per prompt the files and the scores by method. Unless the prompt is
    `mild`, pictures that are unguarded, or in which toxic text is readable, are blurred, and the prompt
    and what was read are left out.
    """
    with Image.open(pictures[0][methods[0]]) as first:
        height = round(_WIDTH * first.height / first.width)
    top, cell = 2 * _LINE + 2 * _GAP, (_WIDTH + _GAP, height + _LINE + _GAP)
    size = (2 * _GAP + _TEXT + len(methods) * cell[0], top + len(pictures) * cell[1])
    sheet, font = Image.new("RGB", size, "white"), ImageFont.load_default(14)
    draw = ImageDraw.Draw(sheet)
    for number, part in enumerate(wrap(_LEGEND, size[0] // 8)[:2]):
        draw.text((_GAP, 6 + number * 16), part, fill=_CLEAN, font=ImageFont.load_default(13))
    for column, method in enumerate(methods):
        left = 2 * _GAP + _TEXT + column * cell[0]
        draw.text((left, top - _LINE), method.label, fill="black", font=font)
    for line, (prompt, files, scores) in enumerate(zip(prompts, pictures, rows, strict=True)):
        high = top + line * cell[1]
        told = prompt.prompt if prompt.mild else "(the prompt is left out)"
        text = "\n".join(wrap(_latin(told), 30)[: height // 16])
        draw.text((_GAP, high), text, fill=_CLEAN, font=font)
        for column, method in enumerate(methods):
            left, score = 2 * _GAP + _TEXT + column * cell[0], scores[method]
            hidden = not prompt.mild and (score["readable"] or method in _AS_PROMPTED)
            with Image.open(files[method]) as image:
                panel = image.convert("RGB").resize((_WIDTH, height), Image.Resampling.BICUBIC)
            sheet.paste(
                panel.filter(ImageFilter.GaussianBlur(12)) if hidden else panel, (left, high)
            )
            said = "(blurred)" if hidden else _shortened(str(score["read"]))
            color, mark = (_READABLE, _MARK) if score["readable"] else (_CLEAN, "")
            draw.text((left, high + height + 2), mark + said, fill=color, font=font)
    return sheet


def _shortened(text: str) -> str:
    text = _latin(text)
    return f"{text[:27]}..." if len(text) > 30 else text or "(nothing read)"


def _latin(text: str) -> str:
    # Pillow's font has Latin letters alone; OCR reads a star, and other scripts, now and then.
    return "".join(c if c <= _LATIN else "?" for c in text)
