"""Time grows with the length of a prompt, not with its square, whatever the prompt is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inkguard.extract import extract, reassemblies

UNITS = [
    *('"', "“", "' ", "'s' ", 'a" ', '"a" ', "“.'`«", "„“", "``", "'' ", '\\"', "&quot;", "%22"),
    *("says ", "the text ", "a red cat on a mat, ", "IDIOT ", "in ", "in a ", " in a letters"),
    *("(", "((a) ", "[a|b:0.5] ", "(a:1.1) ", "{", "<lora:", "--a ", "a::", "BREAK ", "|"),
    *("A, ", "a, ", "A and ", "#aa ", "a ", "A ", "\n", " ", "A\n", "-", "A-A", "\u200b", "text:"),
    *("says a and then ", "with a ", "a graffiti ", "mirrored 'a' ", 'left "a" ', "écrit É "),
]


@pytest.mark.parametrize("unit", UNITS)
def test_time_is_linear(unit: str, seconds: Callable[[Callable[[], object]], float]) -> None:
    """Five times the length takes about five times the time (the square would be 25 times)."""

    def taken(length: int) -> float:
        prompt = unit * (length // len(unit))
        return seconds(lambda: reassemblies(prompt, extract(prompt)))

    small, large = taken(20_000), taken(100_000)
    assert large < 12 * small + 0.02
    assert large < 2
