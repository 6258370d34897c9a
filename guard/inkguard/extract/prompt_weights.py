"""The syntax of image tools: weights, emphasis, alternation, regions, parameters.

`(word:1.3)`, `((word))`, `[a|b]`, `{a|b}`, `[a:b:0.5]`, `word::2`, `BREAK`, `AND`,
`<lora:name:1>`, `--ar 16:9`. Words inside are text as any; the syntax is not drawn. An edit is
`(start, end, replacement)` on the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from inkguard.extract.tuning import TUNING

__all__ = ["GROUP_END", "GROUP_START", "weight_edits"]

GROUP_START, GROUP_END = "\x1e", "\x1f"
"""White space in a view, in place of the brackets around several words."""

_HINT = re.compile(r"[()\[\]{}|]|<\w|::|--[a-z]|AND|BREAK|ADD")
_TOKEN = re.compile(
    r"""(?=[<BA\-:\\()\[\]{}|])(?:
      (?P<network><(?:lora|lyco|loha|locon|hypernet|embedding|ti)\s?:[^<>\n]{0,120}>)
    | (?P<join>(?<![A-Z]\s)\b(?:BREAK|AND|ADDCOMM|ADDBASE|ADDROW|ADDCOL)\b(?!\s[A-Z]{2}))
    | (?P<number>(?<!\S)--(?:ar|aspect|v|version|niji|s|stylize|c|chaos|q|quality|seed|iw|w|weird
        |stop|r|repeat|tile|raw|sref|cref|sw|cw)(?:\s{1,3}[\d.:]{1,12})?(?!\S))
    | (?P<option>(?<!\S)--[a-z]{2,12}(?!\S))
    | (?P<part>::-?[\d.]{0,6}(?!\S))
    | (?P<literal>\\[()\[\]{}])
    | (?P<open>[(\[{])
    | (?P<close>(?::\s?[+-]?(?:\d{1,3}(?:\.\d{0,3})?|\.\d{1,3})\s?)?[)\]}](?:[+]{1,4}|-{1,4}(?!\w))?)
    | (?P<bar>\|)
    )""",
    re.VERBOSE,
)
_PAIRS = {")": "(", "]": "[", "}": "{"}
_FLAT = {"network": "\n", "join": "\n", "number": "\n", "option": "\n", "part": "\n"}
_SWITCH = re.compile(r"[^:\s|]{1,60}(:)[^:|]{0,60}$")


def weight_edits(prompt: str) -> Iterator[tuple[int, int, str]]:
    """Edits that leave the syntax out, in no particular order. Brackets without a partner stay.

    `"a (red:1.3) car"` gives `(2, 3, "")` and `(6, 11, "")`.
    """
    if not _HINT.search(prompt):
        return
    stack: list[re.Match[str]] = []
    bars: list[int] = []
    for token in islice(_TOKEN.finditer(prompt), TUNING.most_edits):
        kind = token.lastgroup or ""
        if kind in _FLAT:
            yield token.start(), token.end(), _FLAT[kind]
        elif kind == "open":
            stack.append(token)
        elif kind == "bar" and stack:
            bars.append(token.start())
        elif kind == "close":
            bracket = next(char for char in token[0] if char in _PAIRS)
            if stack and stack[-1][0] == _PAIRS[bracket]:
                yield from _group(prompt, stack.pop(), token)
    yield from ((bar, bar + 1, " ") for bar in bars)


def _group(
    prompt: str, opened: re.Match[str], closed: re.Match[str]
) -> Iterator[tuple[int, int, str]]:
    start, end = opened.end(), closed.start()
    weighted = closed[0][0] == ":"
    if weighted and opened[0] == "[" and end - start <= 120:
        switch = _SWITCH.match(prompt, start, end)  # [from:to:0.5]
        if switch:
            yield switch.start(1), switch.end(1), " "
    # Around a single word brackets vanish: a word may be weighted in part, as in "(w)ord".
    wide = end - start > 60 or any(map(str.isspace, prompt[start:end]))
    yield opened.start(), opened.end(), GROUP_START if wide else ""
    yield closed.start(), closed.end(), GROUP_END if wide else ""
