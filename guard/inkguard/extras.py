"""The packages that come with an extra, and the error that names the extra where one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from inkguard.errors import MissingExtra

__all__ = ["PACKAGES", "needs_extra"]

PACKAGES = frozenset(
    {
        "accelerate",
        "bs4",
        "detoxify",
        "diffusers",
        "ftfy",
        "grpc_health",
        "grpc_reflection",
        "huggingface_hub",
        "jinja2",
        "matplotlib",
        "numpy",
        "onnxruntime",
        "prometheus_client",
        "pydantic_settings",
        "rapidocr",
        "rapidocr_onnxruntime",
        "safetensors",
        "scipy",
        "skimage",
        "structlog",
        "torch",
        "transformers",
    }
)
"""The import names of the packages that the extras bring, and the base does without."""


@contextmanager
def needs_extra(extra: str, what: str, otherwise: str = "") -> Iterator[None]:
    """Put around imports whose packages come with `extra`.

    Raises MissingExtra where one of them is not installed, and leaves every other failure as it is: a
    module of inkguard's own that is missing is a defect, not an extra. Example::

        with needs_extra("draw", "drawing"):
            from inkguard.guard import Guard
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in PACKAGES:
            raise
        raise MissingExtra(extra, f"{what} needs {package}", otherwise) from error
