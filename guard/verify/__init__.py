"""Reading a picture back: does toxic text still stand in it?"""

from guard.verify.engines import (
    DEFAULT_ENGINES,
    ENGINES,
    default_reader,
    reader_for,
    reader_named,
    readers,
)
from guard.verify.picture import picture_of, refuse_blank
from guard.verify.rapidocr import RapidReader, RapidReaderV6
from guard.verify.reader import Line, LineReader, Reader, UnionReader, letters_of, readings_of
from guard.verify.tesseract import TesseractReader
from guard.verify.verdict import is_toxic, near, shows_toxic

__all__ = [
    "DEFAULT_ENGINES",
    "ENGINES",
    "Line",
    "LineReader",
    "RapidReader",
    "RapidReaderV6",
    "Reader",
    "TesseractReader",
    "UnionReader",
    "default_reader",
    "is_toxic",
    "letters_of",
    "near",
    "picture_of",
    "reader_for",
    "reader_named",
    "readers",
    "readings_of",
    "refuse_blank",
    "shows_toxic",
]
