"""Text that knows where it comes from."""

from __future__ import annotations

from inkguard.text.mapped_text import MappedText

__all__ = ["MappedText"]
