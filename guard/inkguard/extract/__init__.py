"""Finds the text that a prompt wants drawn, and the other ways in which that text may be read."""

from __future__ import annotations

from inkguard.extract.reassembly import Reading, readings
from inkguard.extract.spans import extract

__all__ = ["Reading", "extract", "readings"]
