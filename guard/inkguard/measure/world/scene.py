"""The synthetic world that the reference models draw: one sign and one shape on a plain background.

A `Scene` is what a caption says; `render` makes one of the many pictures that fit it (the place of
the sign, sizes and small colour changes are free). Letters stand in a grid of cells as wide as a
denoiser token (8 pixels): a model of a few million parameters then learns to spell in CPU-hours.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 96, 64
"""Picture size in pixels."""
CELL = 8
"""Width of a letter's cell, and of a denoiser token, in pixels."""
COLUMNS = WIDTH // CELL
MAX_LETTERS = 10
"""Longest text on a sign, spaces included; the outer two columns are the sign's margin."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ "

COLORS: dict[str, tuple[int, int, int]] = {
    "red": (205, 40, 40),
    "green": (40, 150, 60),
    "blue": (40, 80, 200),
    "yellow": (240, 210, 50),
    "orange": (240, 140, 30),
    "purple": (130, 50, 160),
    "pink": (245, 150, 190),
    "brown": (120, 75, 40),
    "white": (245, 245, 245),
    "black": (25, 25, 25),
    "gray": (130, 130, 130),
    "cyan": (60, 200, 210),
}
SHAPES = ("circle", "square", "triangle", "star", "heart", "tree", "house", "sun")

_SUPERSAMPLE = 2
_LETTER_ROWS = {"top": 1, "bottom": 5}  # first of the two token rows that hold the letters


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is to be drawn. `text` is in capitals, at most `MAX_LETTERS` long, empty for a blank sign."""

    background: str
    sign: str
    shape_color: str
    shape: str
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A rendered scene with the truth about where things are.

    `pixels` is uint8 (HEIGHT, WIDTH, 3). `sign_box` is (left, top, right, bottom) in pixels,
    half-open. `cells` is int64 (HEIGHT // CELL, COLUMNS): the index into `LETTERS` of the letter
    in that token, -1 outside the letters' rows. `shape_cells` is bool (HEIGHT // CELL, COLUMNS): the
    tokens whose middle lies in the shape's square. `silhouette` is bool (HEIGHT, WIDTH): the pixels
    that the shape covers.
    """

    pixels: np.ndarray
    sign_box: tuple[int, int, int, int]
    cells: np.ndarray
    shape_cells: np.ndarray
    silhouette: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a caption leaves open: places in pixels, colours as drawn.

    `row` is the first of the two rows of cells that hold the letters; `shape` is its middle (x, y)
    and its half-size.
    """

    row: int
    sign_box: tuple[int, int, int, int]
    shape: tuple[int, int, int]
    background: tuple[int, int, int]
    shape_color: tuple[int, int, int]
    sign: tuple[int, int, int]

    def shape_cells(self) -> np.ndarray:
        """The cells whose middle lies in the shape's square: bool (HEIGHT // CELL, COLUMNS)."""
        x, y, radius = self.shape
        columns = np.abs(np.arange(COLUMNS) * CELL + CELL / 2 - x) < radius
        rows = np.abs(np.arange(HEIGHT // CELL) * CELL + CELL / 2 - y) < radius
        inside: np.ndarray = rows[:, None] & columns
        return inside


def silhouette(shape: str, place: tuple[int, int, int]) -> np.ndarray:
    """Which pixels a shape covers: bool (HEIGHT, WIDTH). `place` is its middle (x, y) and half-size."""
    canvas = Image.new("RGB", (WIDTH, HEIGHT))
    draw_shape(ImageDraw.Draw(canvas), shape, *place, (255, 255, 255))
    covered: np.ndarray = np.asarray(canvas).max(-1) > 0
    return covered


def first_column(length: int) -> int:
    """The column of the first of `length` letters: texts are centred, rounded to the left."""
    return (COLUMNS - length) // 2


@functools.cache
def _glyph(letter: str) -> np.ndarray:
    """Coverage of a letter as float32 (2 * CELL, CELL) in 0..1: DejaVu Sans Mono Bold, narrowed."""
    import matplotlib  # ships the font; only training and tests draw

    path = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSansMono-Bold.ttf"
    scale = 4
    font = ImageFont.truetype(str(path), 16 * scale)
    canvas = Image.new("L", (20 * scale, 2 * CELL * scale), 0)
    left, _, right, _ = font.getbbox(letter)
    cap_top, cap_bottom = font.getbbox("H")[1::2]
    offset = (2 * CELL * scale - cap_top - cap_bottom) // 2
    ImageDraw.Draw(canvas).text(
        (10 * scale - (left + right) / 2, offset), letter, font=font, fill=255
    )
    narrow = canvas.resize((int(canvas.width * 0.8), canvas.height))
    middle = narrow.width // 2
    cell = narrow.crop((middle - CELL * scale // 2, 0, middle + CELL * scale // 2, canvas.height))
    small = cell.resize((CELL, 2 * CELL), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32) / 255


def _jitter(name: str, rng: np.random.Generator) -> tuple[int, int, int]:
    r, g, b = (np.array(COLORS[name]) + rng.integers(-12, 13, 3)).clip(0, 255).tolist()
    return r, g, b


def layout(scene: Scene, rng: np.random.Generator) -> Layout:
    """Draw from `rng` everything that a picture of `scene` leaves open."""
    place = "top" if rng.random() < 0.35 else "bottom"
    margin_x, margin_y = int(rng.integers(2, 7)), int(rng.integers(1, 4))
    background = _jitter(scene.background, rng)
    radius = int(rng.integers(12, 17))
    x = int(rng.integers(radius + 2, WIDTH - radius - 1))
    y = HEIGHT - radius - 2 if place == "top" else radius + 2
    row = _LETTER_ROWS[place]
    return Layout(
        row=row,
        sign_box=(margin_x, row * CELL - margin_y, WIDTH - margin_x, (row + 2) * CELL + margin_y),
        shape=(x, y, radius),
        background=background,
        shape_color=_jitter(scene.shape_color, rng),
        sign=_jitter(scene.sign, rng),
    )


def render(scene: Scene, rng: np.random.Generator) -> Picture:
    """Draw one picture of `scene`; everything the caption leaves open comes from `rng`."""
    plan = layout(scene, rng)
    s = _SUPERSAMPLE
    image = Image.new("RGB", (WIDTH * s, HEIGHT * s), plan.background)
    draw = ImageDraw.Draw(image)
    x, y, radius = (v * s for v in plan.shape)
    draw_shape(draw, scene.shape, x, y, radius, plan.shape_color)
    left, top, right, bottom = (v * s for v in plan.sign_box)
    draw.rounded_rectangle((left, top, right - 1, bottom - 1), radius=4 * s, fill=plan.sign)
    pixels = np.array(image.resize((WIDTH, HEIGHT), Image.Resampling.BOX))
    row = plan.row
    cells = np.full((HEIGHT // CELL, COLUMNS), -1)
    cells[row : row + 2] = LETTERS.index(" ")
    luminance = 0.3 * plan.sign[0] + 0.59 * plan.sign[1] + 0.11 * plan.sign[2]
    ink = np.array((15, 15, 15) if luminance > 110 else (250, 250, 250), dtype=np.float32)
    for column, letter in enumerate(scene.text, first_column(len(scene.text))):
        cover = _glyph(letter)[..., None]
        area = np.s_[row * CELL : (row + 2) * CELL, column * CELL : (column + 1) * CELL]
        pixels[area] = (pixels[area] * (1 - cover) + ink * cover).round().astype(np.uint8)
        cells[row : row + 2, column] = LETTERS.index(letter)
    return Picture(
        pixels, plan.sign_box, cells, plan.shape_cells(), silhouette(scene.shape, plan.shape)
    )


def draw_shape(
    draw: ImageDraw.ImageDraw, shape: str, x: float, y: float, r: float, color: tuple[int, int, int]
) -> None:
    """Draw `shape` with centre (x, y) and half-size r in pixels."""
    match shape:
        case "circle":
            draw.ellipse((x - r, y - r, x + r, y + r), fill=color)
        case "square":
            draw.rectangle((x - r, y - r, x + r, y + r), fill=color)
        case "triangle":
            draw.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=color)
        case "star":
            angles = -np.pi / 2 + np.arange(10) * np.pi / 5
            radii = np.where(np.arange(10) % 2 == 0, r, 0.42 * r)
            points = zip(x + radii * np.cos(angles), y + radii * np.sin(angles), strict=True)
            draw.polygon([(float(a), float(b)) for a, b in points], fill=color)
        case "heart":
            draw.ellipse((x - r, y - r, x, y + 0.2 * r), fill=color)
            draw.ellipse((x, y - r, x + r, y + 0.2 * r), fill=color)
            draw.polygon(
                [(x - 0.93 * r, y - 0.15 * r), (x + 0.93 * r, y - 0.15 * r), (x, y + r)], fill=color
            )
        case "tree":
            draw.rectangle((x - 0.2 * r, y, x + 0.2 * r, y + r), fill=(90, 60, 30))
            draw.ellipse((x - 0.8 * r, y - r, x + 0.8 * r, y + 0.4 * r), fill=color)
        case "house":
            draw.rectangle((x - 0.8 * r, y - 0.1 * r, x + 0.8 * r, y + r), fill=color)
            roof = (color[0] // 2, color[1] // 2, color[2] // 2)
            draw.polygon([(x - r, y - 0.1 * r), (x + r, y - 0.1 * r), (x, y - r)], fill=roof)
        case "sun":
            for angle in np.arange(8) * np.pi / 4:
                tip = (x + r * float(np.cos(angle)), y + r * float(np.sin(angle)))
                draw.line([(x, y), tip], fill=color, width=max(1, round(r / 4)))
            draw.ellipse((x - 0.55 * r, y - 0.55 * r, x + 0.55 * r, y + 0.55 * r), fill=color)
        case _:
            raise ValueError(f"unknown shape {shape!r}: one of {', '.join(SHAPES)}")
