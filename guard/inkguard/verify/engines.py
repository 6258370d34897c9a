"""The OCR engines by name, and which of them a policy asks for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Protocol

from inkguard.errors import VerificationError
from inkguard.types import VerifyWith
from inkguard.verify.rapidocr import RapidReader, RapidReaderV6
from inkguard.verify.reader import LineReader, Reader, UnionReader
from inkguard.verify.tesseract import TesseractReader

__all__ = ["DEFAULT_ENGINES", "ENGINES", "default_reader", "reader_for", "reader_named", "readers"]

_LONGEST = 480
"""Pixels that detectors get on the longer side of a picture: of 320 to 960, PP-OCRv6 reads most with this.

docs/results/ocr.md: 387 of 440 words, 374 with 320 and 355 with 960. Detectors look for letters of an
ordinary size, and larger ones fall apart.
"""

ENGINES: dict[str, Callable[[], Reader]] = {
    "ppocr-v4": lambda: RapidReader(longest=_LONGEST, turned=True),
    "ppocr-v6": lambda: RapidReaderV6(longest=_LONGEST),
    "ppocr-v4-fine": lambda: RapidReader(longest=2 * _LONGEST, turned=True),
    "tesseract": TesseractReader,
}
"""What makes each engine that is known, in the order in which a union reads.

An engine is one file and one entry. A program with an engine of its own adds the entry before it loads a guard;
`wrap(pipe, reader="its name")`, `Guard.load(reader=...)` and the server's setting `reader` then find it.
"""

DEFAULT_ENGINES = ("ppocr-v4", "ppocr-v6")
"""The pair that reads most: 430 of the 440 words of docs/results/ocr.md, which one engine read 364 of.

PP-OCRv4 turns lines around that stand on their heads; PP-OCRv6 does not, as turning costs small letters.
"""


def reader_named(name: str) -> Reader:
    """The process's one reader of that name.

    Raises VerificationError for an unknown name, which lists the known ones, and for an engine that is
    not installed, which says what to install.
    """
    if name not in ENGINES:
        known = ", ".join(ENGINES)
        raise VerificationError(f"no OCR engine is called {name!r}; there are: {known}")
    return _made(name)


def readers(names: Sequence[str]) -> Reader:
    """One reader for several engines: each reads the picture, and its text stays its own."""
    if not names:
        raise VerificationError(f"no OCR engine is asked for; there are: {', '.join(ENGINES)}")
    return UnionReader([reader_named(name) for name in names], names)


@functools.cache
def default_reader() -> LineReader:
    """The one PP-OCRv4 of the process: what `evaluate`, `localize` and the benches measure with.

    It stays as it is where verification gains an engine, so that their figures stay comparable.
    """
    return RapidReader()


@functools.cache
def _made(name: str) -> Reader:
    return ENGINES[name]()


class _Verified(Protocol):
    """What a policy says about reading pictures back."""

    @property
    def verify(self) -> bool: ...
    @property
    def verify_with(self) -> VerifyWith: ...


def reader_for(policy: _Verified, reader: Reader | str | None = None) -> Reader | None:
    """What reads a policy's pictures back; None where nobody asks for verification.

    `reader` is one of your own, or the name of one of `ENGINES`, in place of the engines that the policy names.
    A reader of your own is asked whatever the policy says, since who hands it in wants pictures read. A name
    only chooses the engine, for policies that ask for one. Raises VerificationError for a name that is not known, and for an engine that is not installed.
    """
    if reader is not None and not isinstance(reader, str):
        return reader
    if not policy.verify:
        return None
    if reader is not None:
        return reader_named(reader)
    return readers(tuple(ENGINES) if policy.verify_with is VerifyWith.ALL else DEFAULT_ENGINES)
