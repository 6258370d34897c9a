"""One sentence a line in every Markdown page: `python -m tools.sentence_lines` rewrites them.

A change of one sentence is then a change of one line, in reviews and in merges.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt

__all__ = ["pages", "reflowed"]

ROOT = Path(__file__).parents[1]

_PREFIX = re.compile(r"(?:\s*(?:>|[-*+]\s|\d+[.)]\s))*\s*")
_GAP = re.compile(r"(?<=[.!?])(?P<close>[\"”'’)\]*_]*)\s+(?=[\"“'(\[*_!]*(?:[A-Z0-9`]|inkguard\b))")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|et al|vs|cf)|\b[A-Z])\.$")


def pages() -> list[Path]:
    """The pages of the repository, sorted."""
    folders = ("docs", "deploy", "examples", "training", "policies")
    return sorted([*ROOT.glob("*.md"), *(p for f in folders for p in (ROOT / f).rglob("*.md"))])


def reflowed(markdown: str) -> str:
    """The page with one sentence a line; code, tables and headings stay as they are."""
    lines = markdown.split("\n")
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    inside = [
        token.map
        for before, token in pairwise(tokens)
        if before.type == "paragraph_open" and token.type == "inline" and token.map
    ]
    for first, end in reversed(inside):
        lines[first:end] = _paragraph(lines[first:end])
    return "\n".join(lines)


def _paragraph(lines: list[str]) -> list[str]:
    start = _PREFIX.match(lines[0])
    assert start is not None
    prefix = start[0]
    rest = "".join(c if c == ">" else " " for c in prefix)
    text = " ".join([lines[0][len(prefix) :], *(line.strip(" >") for line in lines[1:])])
    return [(rest if n else prefix) + s for n, s in enumerate(_sentences(text.strip()))]


def _sentences(text: str) -> Iterator[str]:
    start = 0
    for gap in _GAP.finditer(text):
        sentence = text[start : gap.end("close")]
        in_code = sentence.count("`") % 2
        in_brackets = sentence.count("(") > sentence.count(")")
        if in_code or in_brackets or _ABBREVIATION.search(sentence):
            continue
        yield sentence
        start = gap.end()
    yield text[start:]


if __name__ == "__main__":
    for page in pages():
        page.write_text(reflowed(page.read_text(encoding="utf-8")), encoding="utf-8")
