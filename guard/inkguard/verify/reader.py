"""What reads the text in a picture, and how several readings of one picture are kept apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PIL import Image

__all__ = ["Line", "LineReader", "Reader", "UnionReader", "letters_of", "readings_of"]


class Reader(Protocol):
    """Anything that reads the text in a picture."""

    def read(self, image: Image.Image) -> str:
        """The picture's text, lines joined by spaces; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text in a picture.

    `box` is (left, top, right, bottom) of the upright rectangle around it, in the picture's own
    pixels; fractions come from enlarging small pictures.
    """

    text: str
    box: tuple[float, float, float, float]


class LineReader(Reader, Protocol):
    """A reader that also says where the text stands."""

    def lines(self, image: Image.Image) -> list[Line]:
        """The lines in reading order; empty where there is no text."""


@runtime_checkable
class _ManyReadings(Protocol):
    def readings(self, image: Image.Image) -> Iterator[str]: ...


class UnionReader:
    """Several readers of the same picture. Thread-safe where all of them are.

    `names` are the readers' names, in the order in which they read.
    """

    def __init__(self, readers: Sequence[Reader], names: Sequence[str] = ()) -> None:
        self.names = tuple(names)
        self._readers = tuple(readers)

    def readings(self, image: Image.Image) -> Iterator[str]:
        """Each reader's own text; the next one reads only when its text is asked for.

        Whoever judges them can stop at the first toxic one, while a clean picture is read by all.
        """
        for reader in self._readers:
            yield from readings_of(reader, image)

    def read(self, image: Image.Image) -> str:
        """All readings joined by spaces, without those that an earlier one holds: for showing.

        Where two engines read a word differently it stands there twice, so a verdict is no matter of this.
        """
        told: list[str] = []
        for text in self.readings(image):
            if not any(letters_of(text) in letters_of(earlier) for earlier in told):
                told.append(text)
        return " ".join(told)


def readings_of(reader: Reader, image: Image.Image) -> Iterator[str]:
    """Every reading of a picture by a reader: several where it is a union, else one."""
    if isinstance(reader, _ManyReadings):
        yield from reader.readings(image)
    else:
        yield reader.read(image)


def letters_of(text: str) -> str:
    """Letters and digits only, case folded: what two readings are compared by."""
    return "".join(c for c in text.casefold() if c.isalnum())
