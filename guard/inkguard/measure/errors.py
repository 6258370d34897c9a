"""What goes wrong in a measurement, and the extra that it needs."""

from __future__ import annotations

from importlib.util import find_spec

from inkguard.errors import GuardError, VerificationError
from inkguard.verify import LineReader, default_reader

__all__ = ["MeasureError", "require_measure", "require_reader"]

_NEEDED = {"skimage": "scikit-image", "matplotlib": "matplotlib", "jinja2": "jinja2"}


class MeasureError(GuardError):
    """A measurement cannot begin or go on; the message says where, and what to do."""


def require_measure() -> None:
    """Raise MeasureError unless everything in the extra `measure` is installed."""
    missing = [name for module, name in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise MeasureError(
            f"{', '.join(missing)} not installed, which measuring needs: "
            f"pip install 'inkguard[measure]'"
        )


def require_reader() -> LineReader:
    """The OCR of the extra `ocr`; raises MeasureError where it is not installed."""
    try:
        return default_reader()
    except VerificationError as error:
        if isinstance(error.__cause__, ImportError):
            raise MeasureError(
                "OCR is not installed, which tells whose text is drawn: pip install 'inkguard[ocr]'"
            ) from error
        raise
