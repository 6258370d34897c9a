"""The table of quotation marks."""

from __future__ import annotations

import sys

import regex

from inkguard.extract.quote_marks import CLOSERS, MARKS, NESTING, STRAY


def test_all_of_unicodes_quotation_marks_are_known() -> None:
    """Every character with the property Quotation_Mark opens or closes something."""
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    assert set(regex.findall(r"\p{Quotation_Mark}", everything)) <= MARKS


def test_the_tables_agree() -> None:
    """Marks that nest can open, and whatever closes is a mark."""
    assert NESTING.keys() <= CLOSERS.keys()
    assert all(set(closers) <= MARKS for closers in (*CLOSERS.values(), *NESTING.values()))
    assert STRAY <= MARKS
