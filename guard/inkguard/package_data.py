"""Where the policies and the models that come with inkguard lie: in a wheel, or in a checkout."""

from __future__ import annotations

from pathlib import Path

__all__ = ["data_folder"]

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parents[1]


def data_folder(name: str) -> Path:
    """The folder `policies` or `models`.

    A wheel carries them inside of the package, since a wheel has no other place that is its own.
    A checkout has them at its top, where people edit them.

        data_folder("models") / "sd3-tiny"
    """
    installed = _PACKAGE / f"_{name}"
    return installed if installed.is_dir() else _CHECKOUT / name
