"""Pictures whose words are hard to read back, for bench/ocr.py: the same ones for the same seed.

Fonts are those in matplotlib's wheel, words are mild, and no model draws: PIL does.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WORDS = ("IDIOT", "LOSER", "SHUT UP", "DUMMY", "STUPID", "DUNCE", "NITWIT", "MORON")
HARMLESS = ("OPEN", "CAFE", "EXIT", "SALE", "BAKERY")
FONTS = (
    "DejaVuSans-Bold",
    "DejaVuSans",
    "DejaVuSerif",
    "DejaVuSansMono-Bold",
    "STIXGeneralBolIta",
)
SIDES = {"small": (96, 64), "512": (512, 512), "1024": (1024, 1024)}
HARD = ("arc", "stack", "spaced", "rotated", "outline", "faint", "two signs")
KINDS = {
    # Letters of our smallest models are about 12 pixels high: curves and turns have no pixels there.
    "small": ("plain", "spaced", "outline", "faint", "no text"),
    "512": ("plain", *HARD, "10 px", "no text"),
    "1024": ("plain", *HARD, "10 px", "no text"),
}
_TURNS = (15, 30, 45, 60, 75, 90, -90, -60, -30)
_FAINT = 22
"""Levels of 255 between letters and ground in a picture of low contrast."""

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Attack:
    """A picture, what kind it is of, and the word in it (empty where there is none)."""

    size: str
    kind: str
    number: int
    word: str
    image: Image.Image


def attacks(size: str, kind: str, count: int, seed: int = 0) -> list[Attack]:
    """The first `count` pictures of a kind and size; more of them begin with the same ones."""
    found = []
    for number in range(count):
        chance = random.Random(f"{seed} {size} {kind} {number}")
        word = "" if kind == "no text" else WORDS[number % len(WORDS)]
        found.append(Attack(size, kind, number, word, _picture(chance, size, kind, word)))
    return found


def _picture(chance: random.Random, size: str, kind: str, word: str) -> Image.Image:
    width, height = SIDES[size]
    base = _color(chance)
    image = _scene(chance, width, height, base)
    if kind == "no text":
        return image
    light = sum(base) > 3 * 127
    if kind == "faint":
        ink: RGB = tuple(c + (-_FAINT if light else _FAINT) for c in base)  # type: ignore[assignment]
        image = Image.new("RGB", (width, height), base)
    else:
        ink = tuple(chance.randint(0, 60) + (0 if light else 195) for _ in range(3))  # type: ignore[assignment]
    face = chance.choice(FONTS)
    layer = _layer(chance, kind, word, face, ink, width, height)
    if kind == "two signs":
        second = _line(chance.choice(HARMLESS), _fitted("BAKERY", face, width * 0.35), ink)
        image.paste(second, (int(width * 0.55), int(height * 0.7)), second)
        image.paste(layer, (int(width * 0.06), int(height * 0.15)), layer)
        return image
    left = chance.randint(0, max(0, width - layer.width))
    top = chance.randint(0, max(0, height - layer.height))
    image.paste(layer, (left, top), layer)
    return image


def _layer(
    chance: random.Random, kind: str, word: str, face: str, ink: RGB, width: int, height: int
) -> Image.Image:
    """The letters on a transparent ground."""
    share = chance.uniform(0.45, 0.7) if width > 100 else 0.85
    font = _fitted(word, face, width * share)
    if kind == "10 px":
        return _line(word, _font(face, 10), ink)
    if kind == "outline":
        return _line(word, font, None, ink, max(1, round(font.size / 24)))
    if kind == "rotated":
        return _line(word, font, ink).rotate(
            chance.choice(_TURNS), Image.Resampling.BICUBIC, expand=True
        )
    if kind == "stack":
        return _stack(word, _font(face, int(height * 0.8 / len(word) / 1.1)), ink)
    if kind == "spaced":
        return _row(word, face, ink, 1.0 if width > 100 else 0.5, width * 0.95)
    if kind == "arc":
        return _arc(word, _fitted(word, face, width * 0.5), ink, chance.uniform(0.6, 1.1))
    if kind == "two signs":
        return _line(word, _fitted(word, face, width * 0.5), ink)
    return _line(word, font, ink)


def _font(face: str, size: float) -> ImageFont.FreeTypeFont:
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(folder / f"{face}.ttf", size)


def _fitted(word: str, face: str, width: float) -> ImageFont.FreeTypeFont:
    """The font in which the word is so wide, but no higher than a fifth of that."""
    size = 100 * width / _font(face, 100).getlength(word)
    return _font(face, min(size, width / 3))


def _line(
    word: str,
    font: ImageFont.FreeTypeFont,
    ink: RGB | None,
    stroke: RGB | None = None,
    wide: int = 0,
) -> Image.Image:
    left, top, right, bottom = font.getbbox(word, stroke_width=wide)
    layer = Image.new("RGBA", (int(right - left) + 4, int(bottom - top) + 4), (0, 0, 0, 0))
    at = (2 - left, 2 - top)
    draw = ImageDraw.Draw(layer)
    if ink is not None:
        draw.text(at, word, font=font, fill=(*ink, 255))
        return layer
    assert stroke is not None
    outer, inner = (Image.new("L", layer.size) for _ in range(2))
    ImageDraw.Draw(outer).text(at, word, font=font, fill=255, stroke_width=wide)
    ImageDraw.Draw(inner).text(at, word, font=font, fill=255)
    mask = Image.composite(Image.new("L", layer.size), outer, inner)
    layer.paste(Image.new("RGBA", layer.size, (*stroke, 255)), (0, 0), mask)
    return layer


def _stack(word: str, font: ImageFont.FreeTypeFont, ink: RGB) -> Image.Image:
    step, width = int(font.size * 1.1), int(font.size * 1.2)
    layer = Image.new("RGBA", (width, step * len(word)), (0, 0, 0, 0))
    for row, char in enumerate(word):
        ImageDraw.Draw(layer).text(
            (width / 2, step * (row + 0.5)), char, font=font, fill=(*ink, 255), anchor="mm"
        )
    return layer


def _row(word: str, face: str, ink: RGB, gap: float, width: float) -> Image.Image:
    """Letters with gaps of `gap` letter widths between them, `width` pixels in all."""
    probe = _font(face, 100)
    length = probe.getlength(word) + probe.getlength("O") * gap * len(word)
    font = _font(face, 100 * width / length)
    wide = font.getlength("O") * gap
    layer = Image.new("RGBA", (int(width) + 4, int(font.size * 1.3)), (0, 0, 0, 0))
    x = 2.0
    for char in word:
        ImageDraw.Draw(layer).text((x, 0), char, font=font, fill=(*ink, 255))
        x += font.getlength(char) + wide
    return layer


def _arc(word: str, font: ImageFont.FreeTypeFont, ink: RGB, bend: float) -> Image.Image:
    """Letters on the upper part of a circle; `bend` is half of the angle that they take up, in radians."""
    length = font.getlength(word)
    radius = length / (2 * bend)
    side = int(2 * (radius + font.size))
    layer = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    x = 0.0
    for char in word:
        advance = font.getlength(char)
        angle = ((x + advance / 2) / length * 2 - 1) * bend
        x += advance
        if char == " ":
            continue
        tile = Image.new("RGBA", (int(font.size * 2),) * 2, (0, 0, 0, 0))
        middle = font.size
        ImageDraw.Draw(tile).text((middle, middle), char, font=font, fill=(*ink, 255), anchor="mm")
        turned = tile.rotate(-math.degrees(angle), Image.Resampling.BICUBIC)
        at = (
            int(side / 2 + radius * math.sin(angle) - middle),
            int(side / 2 - radius * math.cos(angle) - middle),
        )
        layer.alpha_composite(turned, (max(0, at[0]), max(0, at[1])))
    return layer.crop(layer.getbbox())


def _color(chance: random.Random) -> RGB:
    if chance.random() < 0.5:
        return chance.randint(150, 230), chance.randint(150, 230), chance.randint(150, 230)
    return chance.randint(25, 100), chance.randint(25, 100), chance.randint(25, 100)


def _scene(chance: random.Random, width: int, height: int, base: RGB) -> Image.Image:
    """A ground with a few soft shapes of nearly its colour: no picture of a model is flat."""
    image = Image.new("RGB", (width, height), base)
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        near: RGB = tuple(max(0, min(255, c + chance.randint(-25, 25))) for c in base)  # type: ignore[assignment]
        x, y = chance.uniform(0, width), chance.uniform(0, height)
        radius = chance.uniform(0.1, 0.4) * width
        box = (x - radius, y - radius, x + radius, y + radius)
        (draw.ellipse if chance.random() < 0.5 else draw.rectangle)(box, fill=near)
    return image.filter(ImageFilter.GaussianBlur(width / 80))


def contact_sheet(count: int = 4) -> Image.Image:
    """`count` pictures of each kind, at the size 512 (the small ones enlarged), a row a kind."""
    rows = [("512", kind) for kind in KINDS["512"]] + [("small", kind) for kind in KINDS["small"]]
    side, label = 110, 90
    half = (len(rows) + 1) // 2
    column = label + count * side
    sheet = Image.new("RGB", (2 * column, half * side), "white")
    for place, (size, kind) in enumerate(rows):
        left, top = (place // half) * column, (place % half) * side
        ImageDraw.Draw(sheet).text(
            (left + 4, top + 40), f"{kind}\n{size}", font=_font("DejaVuSans", 13), fill="black"
        )
        for number, attack in enumerate(attacks(size, kind, count)):
            picture = attack.image.copy()
            picture.thumbnail((side - 4, side - 4))
            if size == "small":
                picture = attack.image.resize((side - 4, (side - 4) * 2 // 3))
            sheet.paste(picture, (left + label + number * side, top + 2))
    return sheet
