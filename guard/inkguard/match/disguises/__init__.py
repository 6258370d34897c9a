"""The ways to hide a word that are seen through: one file each, in one order.

To add one: a file with a subclass of `Disguise` (or of `WordDisguise`, for words that no dictionary has), an entry
in `DISGUISES`, and a row in tests/match/disguises/test_disguises.py. The class's docstring is its row in
docs/guides/matching.md, which `python -m tools.disguises_page` writes.
"""

from __future__ import annotations

from inkguard.match.disguises.base import Attempt, Disguise, DisguisedText, Hit, WordDisguise
from inkguard.match.disguises.boxed import Boxed
from inkguard.match.disguises.l_for_i import LForI
from inkguard.match.disguises.leet import Leet
from inkguard.match.disguises.leet_lattice import LeetLattice
from inkguard.match.disguises.masked import Masked
from inkguard.match.disguises.plain import Plain
from inkguard.match.disguises.reversed import Reversed
from inkguard.match.disguises.sound_alike import SoundAlike
from inkguard.match.disguises.spaced import Spaced
from inkguard.match.disguises.split import Split
from inkguard.match.disguises.typo import Typo
from inkguard.match.disguises.upside_down import UpsideDown

__all__ = ["DISGUISES", "Attempt", "Disguise", "DisguisedText", "Hit", "WordDisguise"]

DISGUISES: tuple[type[Disguise], ...] = (
    Split,
    Plain,
    UpsideDown,
    Leet,
    Spaced,
    Boxed,
    LeetLattice,
    Masked,
    Reversed,
    LForI,
    SoundAlike,
    Typo,
)
"""In the order in which they are tried. Of two that find the same term at the same place the first names it."""
