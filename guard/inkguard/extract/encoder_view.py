"""A prompt as an image model's text encoder means it, with the way back to the original offsets.

Escaped quotes are decoded, invisible characters and the weights and brackets of image tools are
left out. Everything else in this package works on this view and maps what it finds back.
"""

from __future__ import annotations

from inkguard.extract.escapes import escape_edits
from inkguard.extract.prompt_weights import weight_edits
from inkguard.text import MappedText

__all__ = ["as_encoder_reads"]


def as_encoder_reads(prompt: str) -> MappedText:
    """The prompt as the encoder reads it; a plain prompt as it stands. Never raises.

    `"a (red:1.3) &quot;sign&quot;"` reads `'a red "sign"'`.
    """
    return MappedText.of(prompt).replace(sorted((*escape_edits(prompt), *weight_edits(prompt))))
