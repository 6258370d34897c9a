"""Small policies are written as for the tests of `inkguard.policy`."""

from __future__ import annotations

from tests.policy.conftest import author, default

__all__ = ["author", "default"]
