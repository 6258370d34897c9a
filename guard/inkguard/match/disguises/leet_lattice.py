"""Words in which digits and signs stand for letters, each for any of several.

A word's symbols span a lattice: "1" may be i, l or 1, "\\\\/" is v, a dash may be nothing. The walk
goes through the lattice and the lists' automaton together and leaves a path as soon as no term
begins so; that keeps it short however ambiguous a text is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from inkguard.match.disguises.base import Attempt, Disguise, DisguisedText, Hit
from inkguard.match.disguises.leet import LEET
from inkguard.match.term_index import TermIndex
from inkguard.match.term_pattern import TermPattern
from inkguard.match.tuning import TUNING

__all__ = ["LeetLattice"]

_SHAPES = {
    "\\": (("\\/\\/", "w"), ("\\/", "v")),
    "/": (("/\\/\\", "m"), ("/-\\", "a"), ("/\\", "a")),
    "|": (
        *(("|\\/|", "m"), ("|\\|", "n"), ("|-|", "h"), ("|_|", "u"), ("|<", "k")),
        *(("|)", "d"), ("|3", "b"), ("|2", "r"), ("|=", "f"), ("|_", "l")),
    ),
    "(": (("()", "o"), ("(_)", "u")),
    "[": (("[]", "o"),),
    "v": (("vv", "w"),),
    "u": (("uu", "w"),),
}
_SKIPPED = frozenset("._-~*·•^=‐‑‒–—")
_OPENING, _CLOSING = "\"'([{<“‘«", ".,!?;:'\")]}>”’»"
# Words that are not letters alone, but for quotes and such around them; a bracket may be a letter.
_WORD = re.compile(
    rf"(?![{re.escape(_OPENING)}]*[^\W\d_]+[{re.escape(_CLOSING)}]*(?!\S))\S*[^\W_]\S*"
    r"|[(\[{<][^\W\d_]+(?!\S)"
)


class _State(NamedTuple):
    at: int
    key: str  # with its leading space, in single letters
    repeats: tuple[int, ...]
    letters: int = 0
    digits: int = 0
    skipped: int = 0

    @property
    def place(self) -> tuple[int, str, bool]:
        """What decides where the walk can go from here."""
        return self.at, self.key, bool(self.repeats) and self.repeats[-1] > 1


class LeetLattice(Disguise):
    """Digits and signs that stand for letters, where one sign may be several letters, or several signs are one.

    Example: 1Di()t
    Leaves alone: words of letters alone; what would need digits for most of a short word (prices, number plates,
    versions); what is more than 40 characters into a word.
    Known misses: terms of several words; letters drawn with signs that the table does not have.
    Place: after `leet`, which is cheaper and names what it finds more simply.
    """

    label = "lattice"

    def attempts(self, text: DisguisedText) -> Iterator[Attempt]:
        """One for each place at which a word that is not letters alone may begin.

        Looks at a bounded number of states; the rest of a very long text is left to the other disguises.
        """
        plain = text.plain.text
        budget = TUNING.most_leet_states
        for start, end in text.chunks:
            if not _WORD.match(plain, start, end):
                continue
            while end > start and plain[end - 1] in _CLOSING:
                end -= 1
            word = plain[start:end].lstrip(_OPENING)
            opened = {start, end - len(word)}  # "(unt" as well as "(idiot"
            for first in range(start, end):
                if budget > 0 and (first in opened or not _continues_word(plain[first - 1])):
                    after = min(end, first + TUNING.farthest_leet)
                    hits, states = _leet_hits(plain, first, after, self._terms)
                    budget -= states
                    yield Attempt(self.label, text.plain.slice(first, after), hits)


def _continues_word(char: str) -> bool:
    return char.isalnum() or char in LEET


def _leet_hits(text: str, first: int, end: int, terms: TermIndex) -> tuple[list[Hit], int]:
    """The terms that begin at `first`, in offsets from there, and how many states the walk had."""
    found: list[Hit] = []
    waiting = [_State(first, " ", ())]
    seen = {waiting[0].place}
    while waiting:
        state = waiting.pop()
        for pattern in terms.with_key(state.key) if text[state.at - 1] not in _SKIPPED else ():
            after = _word_end(text, state.at, end, pattern)
            if after and _is_plausible(state, pattern):
                found.append((0, after - first, pattern.of))
        if state.at < end:
            for new in _steps(text, state, end):
                if new.place not in seen and (new.key == state.key or terms.has_prefix(new.key)):
                    seen.add(new.place)
                    waiting.append(new)
    return found, len(seen)


def _steps(text: str, state: _State, end: int) -> Iterator[_State]:
    char, at = text[state.at], state.at + 1
    if char.isalpha():
        yield _read(state, at, char, letters=1)
    else:
        if char.isdigit():
            yield _read(state, at, char, letters=1)
        for letter in LEET.get(char, ""):
            yield _read(state, at, letter, digits=int(char.isdigit()))
        if char in _SKIPPED and state.repeats and state.skipped < TUNING.most_skipped:
            yield _State(
                at, state.key, state.repeats, state.letters, state.digits, state.skipped + 1
            )
    for shape, letter in _SHAPES.get(char, ()):
        if text.startswith(shape, state.at) and state.at + len(shape) <= end:
            yield _read(state, state.at + len(shape), letter)


def _read(state: _State, at: int, letter: str, letters: int = 0, digits: int = 0) -> _State:
    letters, digits = state.letters + letters, state.digits + digits
    if state.key[-1] == letter and not letter.isdigit():
        repeats = (*state.repeats[:-1], state.repeats[-1] + 1)
        return _State(at, state.key, repeats, letters, digits)
    return _State(at, state.key + letter, (*state.repeats, 1), letters, digits)


def _word_end(text: str, at: int, end: int, pattern: TermPattern) -> int:
    """Where the word ends that a term stands at the beginning of; 0 where it goes on otherwise."""
    stop = at
    while stop < end and (text[stop].isalnum() or text[stop] in LEET):
        stop += 1
    rest = text[at:stop]
    if rest and not rest.isdigit() and rest not in pattern.suffixes and rest.strip("!|+") != "":
        plain = "".join(LEET.get(char, char)[0] for char in rest)
        return (
            stop if plain in pattern.suffixes or plain.replace("z", "s") in pattern.suffixes else 0
        )
    return stop


def _is_plausible(state: _State, pattern: TermPattern) -> bool:
    """Whether a walk took letters enough to be no price, number plate or version by chance."""
    if (
        pattern.entry is None
        or not pattern.one_word
        or not pattern.has_required_repeats(state.repeats)
    ):
        return False
    size = sum(state.repeats)
    if size <= 3:
        return state.digits <= 1 and state.letters > 0
    return state.letters > 0 or size >= 6
