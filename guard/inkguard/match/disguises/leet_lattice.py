"""Words in which digits and signs stand for letters: every reading is followed, none is guessed.

A word's symbols span a lattice: "1" may be i, l or 1, "\\\\/" is v, a dash may be nothing. The walk
goes through the lattice and the lists' automaton together and leaves a path as soon as no term
begins so; that keeps it short however ambiguous a text is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from inkguard.match.fold import LEET
from inkguard.match.term_index import Index
from inkguard.match.term_pattern import Form

__all__ = ["walks"]

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
_MOST_SKIPPED = 3
_OPENING, _CLOSING = "\"'([{<“‘«", ".,!?;:'\")]}>”’»"
# Words that are not letters alone, but for quotes and such around them; a bracket may be a letter.
_WORD = re.compile(
    rf"(?<!\S)(?![{re.escape(_OPENING)}]*[^\W\d_]+[{re.escape(_CLOSING)}]*(?!\S))\S*[^\W_]\S*"
    r"|(?<!\S)[(\[{<][^\W\d_]+(?!\S)"
)
_MOST_STATES = 3000  # of one text: a drawn text needs less, and noise must not cost seconds
_FARTHEST = 40


@dataclass(frozen=True, slots=True)
class _State:
    at: int
    key: str  # with its leading space, in single letters
    runs: tuple[int, ...]
    letters: int = 0
    digits: int = 0
    skipped: int = 0

    @property
    def place(self) -> tuple[int, str, bool]:
        """What decides where the walk can go from here."""
        return self.at, self.key, bool(self.runs) and self.runs[-1] > 1


def walks(text: str, index: Index) -> Iterator[tuple[int, int, Form]]:
    """Terms of one word, in words of the folded `text` that are not letters alone.

    Looks at a bounded number of states; the rest of a very long text is left to the plain readings.
    """
    budget = _MOST_STATES
    for match in _WORD.finditer(text):
        start, end = match.span()
        while end > start and text[end - 1] in _CLOSING:
            end -= 1
        word = text[start:end].lstrip(_OPENING)
        opened = {start, end - len(word)}  # "(unt" as well as "(idiot"
        for first in range(start, end):
            if budget > 0 and (first in opened or not _goes_on(text[first - 1])):
                found, states = _from(text, first, min(end, first + _FARTHEST), index)
                budget -= states
                yield from ((first, after, form) for after, form in found)


def _goes_on(char: str) -> bool:
    return char.isalnum() or char in LEET


def _from(text: str, first: int, end: int, index: Index) -> tuple[list[tuple[int, Form]], int]:
    """The terms that begin at `first`, with their ends, and how many states the walk had."""
    found: list[tuple[int, Form]] = []
    waiting = [_State(first, " ", ())]
    seen = {waiting[0].place}
    while waiting:
        state = waiting.pop()
        for form in index.at(state.key) if text[state.at - 1] not in _SKIPPED else ():
            after = _after(text, state.at, end, form)
            if after and _meant(state, form):
                found.append((after, form))
        if state.at < end:
            for new in _steps(text, state, end):
                if new.place not in seen and (new.key == state.key or index.begins(new.key)):
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
        if char in _SKIPPED and state.runs and state.skipped < _MOST_SKIPPED:
            yield _State(at, state.key, state.runs, state.letters, state.digits, state.skipped + 1)
    for shape, letter in _SHAPES.get(char, ()):
        if text.startswith(shape, state.at) and state.at + len(shape) <= end:
            yield _read(state, state.at + len(shape), letter)


def _read(state: _State, at: int, letter: str, letters: int = 0, digits: int = 0) -> _State:
    letters, digits = state.letters + letters, state.digits + digits
    if state.key[-1] == letter and not letter.isdigit():
        runs = (*state.runs[:-1], state.runs[-1] + 1)
        return _State(at, state.key, runs, letters, digits)
    return _State(at, state.key + letter, (*state.runs, 1), letters, digits)


def _after(text: str, at: int, end: int, form: Form) -> int:
    """Where the word ends that a form stands at the beginning of; 0 where it goes on otherwise."""
    stop = at
    while stop < end and (text[stop].isalnum() or text[stop] in LEET):
        stop += 1
    rest = text[at:stop]
    if rest and not rest.isdigit() and rest not in form.rests and rest.strip("!|+") != "":
        plain = "".join(LEET.get(char, char)[0] for char in rest)
        return stop if plain in form.rests or plain.replace("z", "s") in form.rests else 0
    return stop


def _meant(state: _State, form: Form) -> bool:
    """Whether a walk took letters enough to be no price, number plate or version by chance."""
    if form.entry is None or not form.single or not form.covers(state.runs):
        return False
    size = sum(state.runs)
    if size <= 3:
        return state.digits <= 1 and state.letters > 0
    return state.letters > 0 or size >= 6
