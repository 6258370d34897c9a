r"""Quotes and spaces as they look after a paste: `\"`, `&quot;`, `%22`, `\u201c`, `""` in CSV.

An edit is `(start, end, replacement)` on the prompt.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from itertools import islice
from urllib.parse import unquote

from inkguard.extract.quote_marks import INNER_DOUBLE, INNER_SINGLE
from inkguard.extract.tuning import TUNING

__all__ = ["escape_edits"]

_HINT = re.compile(
    r"""[\\&%<>\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]|``|''|""|,,|[ \t\u00a0]{2}"""
)
_ESCAPE = re.compile(
    r"""
      (?P<slashed>\\{1,8}["'`“”„‘’«»])
    | (?P<line>\\{1,2}n | <\s?br\s?/?>)
    | (?P<code>\\{1,2}(?:u\{?(?P<u>[0-9a-fA-F]{4})\}?|x(?P<x>[0-9a-fA-F]{2})))
    | (?P<entity>&(?:amp;){0,3}(?:\#\d{2,6}|\#[xX][0-9a-fA-F]{2,5}|[a-zA-Z]{2,8});)
    | (?P<percent>%(?:25){0,2}(?:[2-7][0-9a-fA-F]|[cCdD][0-9a-fA-F]%[89abAB][0-9a-fA-F]
        |[eE][0-9a-fA-F](?:%[89abAB][0-9a-fA-F]){2}))
    | (?P<invisible>[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff])
    | (?P<blank>[ \t\u00a0]{2,})
    | (?P<low>(?<![^\s(\[]),,(?=\w))
    | (?P<thrice>"{3}|'{3}|`{3})
    | (?P<tex>``(?!`))
    | (?P<twice>(?<!')''(?!'))
    | (?P<opening><<(?=\S)) | (?P<closing>(?<=\S)>>)
    """,
    re.VERBOSE,
)
_BARE = {'"': re.compile(r'(?<!\\)"'), "'": re.compile(r"(?<![\w\\])'|(?<!\\)'(?!\w)")}
_INNER = {'"': INNER_DOUBLE, "'": INNER_SINGLE}
_PLAIN = {
    "invisible": "",
    "blank": " ",
    "low": "„",
    "tex": "“",
    "twice": "”",
    "opening": "«",
    "closing": "»",
}
# A whole prompt as a field of a table: "a sign that says ""HELLO"" on a wall".
_CSV = re.compile(r'\s*"(?!")(?:[^"]|"")*+"\s*\Z')
_CSV_CUE = re.compile(r'[a-z:]\s?""(?=[^"\s])')


def escape_edits(prompt: str) -> Iterator[tuple[int, int, str]]:
    """Edits that decode what stands for another character, or for none.

    `"say &quot;hi&quot;"` gives `(4, 10, '"')` and `(12, 18, '"')`.
    """
    if _CSV.match(prompt) and _CSV_CUE.search(prompt):
        yield from islice(_csv(prompt), TUNING.most_edits)
        return
    if _HINT.search(prompt):
        bare = {quote for quote, mark in _BARE.items() if mark.search(prompt)}
        for match in islice(_ESCAPE.finditer(prompt), TUNING.most_edits):
            new = _decoded(match, bare)
            if new is not None:
                yield match.start(), match.end(), new


def _decoded(match: re.Match[str], bare: set[str]) -> str | None:
    kind, text = match.lastgroup, match[0]
    if kind == "code":
        new = chr(int(match["u"] or match["x"], 16))
    elif kind == "slashed":
        new = text[-1]
    elif kind == "line":
        new = "\n"
    elif kind == "entity":
        new = html.unescape(html.unescape(html.unescape(html.unescape(text))))
    elif kind == "percent":
        new = unquote(unquote(unquote(text)))
    elif kind == "thrice":
        return text[0]
    else:
        return _PLAIN[kind or ""]
    if len(new) != 1 or "\ud800" <= new <= "\udfff":
        return None
    # Escaped quotes among bare ones are quotes within quotes.
    return _INNER[new] if new in bare else new


def _csv(prompt: str) -> Iterator[tuple[int, int, str]]:
    first, last = prompt.index('"'), prompt.rindex('"')
    yield first, first + 1, " "
    at = first + 1
    while (at := prompt.find('""', at, last)) >= 0:
        yield at, at + 2, '"'
        at += 2
    yield last, last + 1, " "
