"""Harmless text for one stretch of toxic text, by the strategy of its category."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Mapping, Sequence

from inkguard.policy.model import Replacements, ReplacementStyle, Strategy

__all__ = ["letter_positions", "one_word_for", "replacement_for"]

_CHUNK = re.compile(r"\S+")
_LEET = frozenset("@$€£")
_LEET_INNER = frozenset("!|+")  # punctuation, but for where a word goes on after it
_SHAPES = {
    letter: number
    for number, group in enumerate(("ODQCG", "ILTJF", "MNWHU", "VYAX", "BPRSE", "KZ"))
    for letter in group
}
"""Capitals by what they look like."""
_NEAREST = 2
"""Letters in which a look-alike differs at least: OCR that misreads one must not see the toxic word."""


def replacement_for(replacements: Replacements, strategy: Strategy, text: str) -> str:
    """What is drawn in place of `text`. The same for the same text, whatever its case."""
    if strategy.use is ReplacementStyle.BLANK:
        return ""
    # Marks and invisible characters decorate the old letters; the new ones do without.
    text = "".join(
        c for c in text if c.isspace() or unicodedata.category(c) not in ("Mn", "Me", "Cf", "Cc")
    )
    letters = letter_positions(text)
    if strategy.use is ReplacementStyle.MASK:
        masked = frozenset(letters or range(len(text)))
        return "".join(strategy.glyph if i in masked else c for i, c in enumerate(text))
    if strategy.use is ReplacementStyle.FIXED:
        return _match_case(_pick(strategy.words, text), "".join(text[i] for i in letters))
    return _by_shape(replacements, strategy, text)


def _by_shape(replacements: Replacements, strategy: Strategy, text: str) -> str:
    chunks = [m[0] for m in _CHUNK.finditer(text)]
    lengths = [len(letter_positions(chunk)) for chunk in chunks]
    if not any(lengths):
        return replacements.words[min(replacements.words)][0]
    if len(chunks) > 1 and max(lengths) == 1:
        return one_word_for(replacements, strategy, text)
    phrases = () if strategy.words else replacements.phrases.get(tuple(lengths), ())
    if len(chunks) > 1 and phrases and strategy.use is ReplacementStyle.SAME_LENGTH:
        new = iter(_pick(phrases, text).split())
        return _CHUNK.sub(lambda m: _lay_over(next(new), m[0]), text)
    return _CHUNK.sub(
        lambda m: one_word_for(replacements, strategy, m[0]) if letter_positions(m[0]) else m[0],
        text,
    )


def letter_positions(text: str) -> list[int]:
    """Where letters stand, or what is read as letters."""
    return [
        i
        for i, c in enumerate(text)
        if c.isalnum()
        or c in _LEET
        or (c in _LEET_INNER and text[i + 1 : i + 2].isalnum())
        or unicodedata.category(c) == "So"
    ]


def one_word_for(replacements: Replacements, strategy: Strategy, text: str) -> str:
    """A word in place of the letters of `text`."""
    if strategy.use in (ReplacementStyle.BLANK, ReplacementStyle.MASK, ReplacementStyle.FIXED):
        return replacement_for(replacements, strategy, text)
    words = _words(replacements, strategy)
    letters = letter_positions(text)
    nearest = min(words, key=lambda n: (abs(n - len(letters)), n))
    choices: Sequence[str] = words[nearest]
    if strategy.use is ReplacementStyle.LOOK_ALIKE and nearest == len(letters):
        choices = _closest_shapes(choices, "".join(text[i] for i in letters))
    return _lay_over(_pick(choices, text), text)


def _words(replacements: Replacements, strategy: Strategy) -> Mapping[int, tuple[str, ...]]:
    """Words by length: the strategy's own, with the policy's beside them for look-alikes."""
    if not strategy.words:
        return replacements.words
    words: dict[int, tuple[str, ...]] = (
        dict(replacements.words) if strategy.use is ReplacementStyle.LOOK_ALIKE else {}
    )
    for word in strategy.words:
        words[len(word)] = (*words.get(len(word), ()), word)
    return words


def _closest_shapes(choices: Sequence[str], old: str) -> Sequence[str]:
    """The words that look most like the old one, of those that cannot be mistaken for it."""
    far = [c for c in choices if sum(map(str.__ne__, c.upper(), old.upper())) >= _NEAREST]
    return [min(far, key=lambda word: _distance(word.upper(), old.upper()))] if far else choices


def _distance(new: str, old: str) -> float:
    """Half for another letter of the same shape, one for one of another."""
    return sum(
        0.0 if a == b else 0.5 if _SHAPES.get(a, a) == _SHAPES.get(b, b) else 1.0
        for a, b in zip(new, old, strict=True)
    )


def _lay_over(new: str, text: str) -> str:
    """`new` laid into the letters of `text`, whose separators stay: "I-D-I-O-T" to "A-P-P-L-E"."""
    places = letter_positions(text)
    new = _match_case(new, "".join(text[i] for i in places))
    if len(new) != len(places):
        return text[: places[0]] + new + text[places[-1] + 1 :]
    laid = list(text)
    for i, char in zip(places, new, strict=True):
        laid[i] = char
    return "".join(laid)


def _pick(choices: Sequence[str], old: str) -> str:
    """The same for the same text, whatever its case, in every process."""
    key = old.casefold().encode("utf-8", "surrogatepass")
    return choices[zlib.crc32(key) % len(choices)]


def _match_case(new: str, old: str) -> str:
    """`new` in the case of `old`: upper, lower, title, or letter by letter."""
    cased = [c for c in old if c.isupper() or c.islower()]
    upper = sum(c.isupper() for c in cased)
    if not cased or upper == len(cased):
        return new.upper()
    if upper == 0:
        return new.lower()
    if upper == 1 and cased[0].isupper():
        return new.capitalize()
    if len(new) != len(old):
        return new.upper()
    return "".join(c.lower() if o.islower() else c.upper() for c, o in zip(new, old, strict=True))
