"""Text that its own spelling marks: runs of capitals, and hashtags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from inkguard.extract.tuning import TUNING

__all__ = ["capitals", "hashtags"]

_RUN = re.compile(r"(?<!\S)[^\sa-z]++(?!\S)(?:[ \t\x1e\x1f][^\sa-z]++(?!\S))*+")
_CHUNK = re.compile(r"\S+")
_EDGES = ",.;:!?()[]{}<>|/\\*~_-–—\"'"
_ENDS = frozenset(",.;:")
# How pictures are taken, rendered and stored, and places: in prompts everywhere, and no text.
_JARGON_WORDS = """
HD FHD UHD QHD HDR SDR RAW DSLR SLR ISO RGB CMYK CGI VFX DOF FOV POV LED OLED LCD CRT VHS PBR
SSS AO GI RTX GTX GPU UE UE4 UE5 JPEG JPG PNG GIF PDF SVG TIFF 3D 2D 4D 2K 4K 8K 16K 32K 1080P
720P 35MM 50MM 85MM TV CD DVD AI UI UX USA US UK EU UN NYC LA DC NASA NSFW SFW OK OC BW IMAX PS1
PS2 PS5 NES ID IV II III VI VII VIII IX XI XII XIV XV XVI AD BC CCTV DNA UV SUV BMW
"""
_JARGON = frozenset(_JARGON_WORDS.split())
_KEYWORDS = frozenset(("AND", "BREAK"))  # between other capitals they are text
_TAG = re.compile(r"(?<![\w&/#＃])[#＃](?P<text>\w{2,60})")
_COLOR = re.compile(r"(?=\w*\d|(\w)\1*\Z)(?:[0-9a-fA-F]{3}){1,2}\Z")


def capitals(text: str) -> Iterator[tuple[int, int]]:
    """The half-open ranges of words in capitals; none in a longer text that shouts all through.

    `"a red SALE ENDS sign, 8K"` gives the range of "SALE ENDS": 8K says how the picture is rendered.
    """
    runs = list(islice(_RUN.finditer(text), TUNING.most_runs))
    if not runs:
        return
    few = TUNING.most_shouted_words
    upper = sum(map(str.isupper, text))
    if upper > sum(map(str.islower, text)) and len(text.split(None, few)) > few:
        return
    for run in runs:
        yield from _in_run(text, run.start(), run.end())


def _in_run(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    first = last = -1
    letters = 0
    for chunk in _CHUNK.finditer(text, start, end):
        core = chunk[0].strip(_EDGES)
        if core in _JARGON:
            core = ""
        elif core.isupper() and core not in _KEYWORDS:
            if first < 0:
                first = chunk.start() + chunk[0].index(core[0])
            last = chunk.end() - len(chunk[0]) + len(chunk[0].rstrip(_EDGES))
            letters += sum(map(str.isalpha, core))
        if not core or chunk[0][-1] in _ENDS:
            if letters > 1:
                yield first, last
            first, letters = -1, 0
    if letters > 1:
        yield first, last


def hashtags(text: str) -> Iterator[tuple[int, int]]:
    """The half-open ranges of words after a "#" that are neither numbers nor colours.

    `"#summer in #ff0000, #1"` gives the range of "summer".
    """
    for tag in islice(_TAG.finditer(text), TUNING.most_runs):
        word = tag["text"]
        if not word.isdigit() and not _COLOR.match(word):
            yield tag.span("text")
