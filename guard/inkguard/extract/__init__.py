"""Finds the text that a prompt wants drawn, and the other ways in which that text may be read."""

from __future__ import annotations

from inkguard.extract.encoder_view import as_encoder_reads
from inkguard.extract.reassembly import Reassembly, reassemblies
from inkguard.extract.spans import extract

__all__ = ["Reassembly", "as_encoder_reads", "extract", "reassemblies"]
