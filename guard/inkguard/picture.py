"""A picture as pixels and as a file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Picture"]


class Picture:
    """A picture as pixels and as a PNG file, whichever of the two it was made from.

    The other one is made when it is first asked for, so that a picture which only passes through is neither
    decoded nor encoded. Two pictures are equal if their files are.
    """

    __slots__ = ("_image", "_png")
    _image: Image.Image | None
    _png: bytes | None

    def __init__(self, *, image: Image.Image | None = None, png: bytes | None = None) -> None:
        if (image is None) == (png is None):
            raise TypeError("a picture is made from pixels or from a file, and not from both")
        self._image, self._png = image, png

    @property
    def image(self) -> Image.Image:
        if self._image is None:
            from PIL import Image  # a client that only passes the file on needs no decoder

            self._image = Image.open(io.BytesIO(self.png))
            self._image.load()
        return self._image

    @property
    def png(self) -> bytes:
        if self._png is None:
            file = io.BytesIO()
            self.image.save(file, "PNG")
            self._png = file.getvalue()
        return self._png

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Picture) and self.png == other.png

    def __hash__(self) -> int:
        return hash(self.png)

    def __repr__(self) -> str:
        return "Picture(...)"
