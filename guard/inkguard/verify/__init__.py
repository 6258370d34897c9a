"""Reading a picture back: does toxic text still stand in it?"""

from inkguard.verify.engines import (
    DEFAULT_ENGINES,
    ENGINES,
    default_reader,
    reader_for,
    reader_named,
    readers,
)
from inkguard.verify.picture import picture_of, refuse_blank
from inkguard.verify.rapidocr import RapidReader, RapidReaderV6
from inkguard.verify.reader import Line, LineReader, Reader, UnionReader, letters_of, readings_of
from inkguard.verify.tesseract import TesseractReader
from inkguard.verify.verdict import is_toxic, near, shows_toxic

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
