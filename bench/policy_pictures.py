"""The pictures of docs/guides/policy-commands.md, made from what the commands print: `python bench/policy_pictures.py`.

Each command runs as on a terminal, in colour; its lines are drawn in DejaVu Sans Mono, which
matplotlib brings along.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont
from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME as THEME
from rich.text import Text

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "guides" / "policy"
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
SIZE, LEADING, MARGIN = 20, 26, 24
COLORS = 64


def printed(arguments: list[str]) -> list[Text]:
    """The prompt and what `inkguard policy ...` prints on a terminal."""
    env = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": "118"}
    command = [sys.executable, "-m", "inkguard", "policy", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=FOLDER, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    return [*_command(arguments), Text(), *Text.from_ansi(done.stdout.rstrip()).split("\n")]


def _command(arguments: list[str]) -> list[Text]:
    words = (f"'{word}'" if " " in word else word for word in arguments)
    return [Text.assemble(("$ ", "bold green"), "inkguard policy ", " ".join(words))]


def drawn(lines: list[Text]) -> Image.Image:
    """The lines on a dark ground."""
    fonts = {
        bold: ImageFont.truetype(FONTS / f"DejaVuSansMono{'-Bold' if bold else ''}.ttf", SIZE)
        for bold in (False, True)
    }
    cell = fonts[False].getlength("m")
    width = max(cell_len(line.plain.rstrip()) for line in lines)
    size = (round(2 * MARGIN + width * cell), 2 * MARGIN + LEADING * len(lines))
    picture = Image.new("RGB", size, tuple(THEME.background_color))
    draw, console = ImageDraw.Draw(picture), Console(width=1000)
    for number, line in enumerate(lines):
        at = 0
        for segment in line.render(console):
            style = segment.style or Style()
            draw.text(
                (MARGIN + at * cell, MARGIN + number * LEADING),
                segment.text,
                fill=_color(style),
                font=fonts[bool(style.bold)],
            )
            at += cell_len(segment.text)
    return picture


def _color(style: Style) -> tuple[int, int, int]:
    fore = tuple(
        style.color.get_truecolor(THEME) if style.color is not None else THEME.foreground_color
    )
    if style.dim:
        fore = tuple((a + b) // 2 for a, b in zip(fore, THEME.background_color, strict=True))
    return fore[0], fore[1], fore[2]


def main() -> None:
    path = FOLDER / "lint.png"
    picture = drawn(printed(["lint", "faulty.yaml"]))
    picture.quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {picture.width} x {picture.height}, {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
