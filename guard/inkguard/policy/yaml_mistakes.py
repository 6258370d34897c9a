"""Why a text is not YAML, for the mistakes that are made most: a guess from the line where reading stopped."""

from __future__ import annotations

import re

__all__ = ["why_not_yaml"]

_FURTHER_COLON = re.compile(r":\s.*\S")


def why_not_yaml(text: str, line: int, column: int, problem: str) -> tuple[int, int, str]:
    """Where reading stopped, both counted from 0, and a reason to put behind "this is not YAML".

    `problem` is what the parser says. The reason quotes nothing of the text; it is empty where no common
    mistake is seen: `name: a\\n\\tversion: b` -> (1, 0, ": a tab; indent with spaces").
    """
    lines = text.splitlines()
    if line >= len(lines):
        return line, column, ": the file ends before a bracket or a quote is closed"
    here = lines[line]
    before, after = here[:column], here[column:]
    if (tab := here.find("\t")) >= 0 and not here[:tab].strip(" -"):
        return line, tab, ": a tab; indent with spaces"
    if before[-1:] in ("'", '"') and after[:1].isalnum():
        return line, column, _QUOTE
    if "mapping values" in problem:
        if _FURTHER_COLON.search(before):
            return line, column, ": a second colon; put text that holds one in quotes"
        return line, column, _DEEPER
    if not before.strip() and after:
        return line, column, ": the indentation of this line fits no line above it"
    if after[:1] in ("@", "`", "%"):
        return line, column, ": text that begins with this sign must stand in quotes"
    return line, column, ""


_QUOTE = (
    ": the text in quotes ends before this; double a quote that is part of it, or put the text in quotes "
    "of the other kind"
)
_DEEPER = ": this line is indented further than the one before it, which has a value already"
