"""Read pictures back with an OCR engine of one's own: `python my_reader.py`.

A reader is any object with a method `read(image) -> str`. This one asks two readers and believes both,
so that a word counts as gone only where neither of them sees it.
"""

from __future__ import annotations

from PIL import Image, ImageOps

from inkguard import Guard, Reader, Request
from inkguard.verify import default_reader


class InvertedToo:
    """Reads a picture as it is, and once more with its colours inverted.

    A guard may be shared by threads, so a reader must allow calls from several threads.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, image: Image.Image) -> str:
        """The text of both readings, joined by a space; empty where there is none.

        An exception counts as a failed verification, and the policy's `on_error` decides then.
        """
        inverted = ImageOps.invert(image.convert("RGB"))
        return " ".join(filter(None, map(self._reader.read, (image, inverted))))


guard = Guard.load("sd3-tiny", reader=InvertedToo(default_reader()))
result = guard.generate(Request(prompt='a red sign that says "LOSER" on a blue background', seed=1))
print("rung:", result.rung, "verification:", result.verification)
