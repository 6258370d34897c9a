"""How a measurement tells whoever started it how far it is."""

from __future__ import annotations

from typing import Protocol

__all__ = ["ProgressReporter", "Silent"]


class ProgressReporter(Protocol):
    """Is told how far a measurement is. All of it is for people: nothing is decided by it."""

    def begin(self, what: str) -> None:
        """This is what comes next."""

    def expect(self, left: int) -> None:
        """At most so many pictures are still to be drawn; what was measured earlier does not count."""

    def speed(self, seconds: float) -> None:
        """One picture takes so long. Told once, after the first ones."""

    def advance(self) -> None:
        """One picture is drawn and scored."""

    def done(self, what: str) -> None:
        """Something is measured, with this result."""


class Silent:
    """Tells nobody."""

    def begin(self, what: str) -> None: ...
    def expect(self, left: int) -> None: ...
    def speed(self, seconds: float) -> None: ...
    def advance(self) -> None: ...
    def done(self, what: str) -> None: ...
