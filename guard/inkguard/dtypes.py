"""The number types in which a model can be measured, for commands that say so without loading PyTorch."""

from __future__ import annotations

__all__ = ["DTYPES"]

DTYPES = ("float32", "bfloat16", "float16")
