"""Regular expressions of word lists, in RE2: their time is linear in the text, whatever they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import re2  # type: ignore[import-untyped]

from inkguard.fork import lazy
from inkguard.match.fold import FoldedText, fold
from inkguard.match.tuning import TUNING
from inkguard.types import Action, Severity

__all__ = ["Pattern", "compiled"]


def compiled(expression: str) -> Any:
    """The expression in RE2; raises ValueError, which does not quote it."""
    options = re2.Options()
    options.log_errors = False  # RE2 would write the expression to standard error
    options.case_sensitive = False
    options.max_mem = TUNING.regex_memory
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        message = error.args[0]
        text = message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)
        raise ValueError(text.partition(":")[0]) from None


@dataclass(frozen=True)
class Pattern:
    """An expression, and what its rule asks for. `rule` never holds it."""

    expression: str = field(repr=False)
    rule: str
    category: str
    severity: Severity
    action: Action
    everywhere: bool = False

    @lazy
    def _re2(self) -> Any:
        return compiled(self.expression)

    def __getstate__(self) -> dict[str, Any]:
        """Without what is compiled: it is compiled anew where it is used first."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @property
    def cost(self) -> int:
        """The instructions of the compiled program: time is at most this for each character."""
        return int(self._re2.programsize)

    def find(self, text: str | FoldedText) -> Iterator[tuple[int, int]]:
        """The half-open ranges of the text whose folded form matches; empty matches are none.

        Of a part of a `FoldedText` the offsets are those of the whole.
        """
        folded = fold(text) if isinstance(text, str) else text.plain
        for match in self._re2.finditer(folded.text):
            if match.end() > match.start():
                yield folded.to_prompt(*match.span())
