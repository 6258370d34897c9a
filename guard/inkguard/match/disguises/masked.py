"""Words with letters struck out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from inkguard.match.disguises.base import Attempt, Disguise, DisguisedText, Hit
from inkguard.match.term_pattern import TermPattern, single_letters
from inkguard.match.tuning import TUNING
from inkguard.types import Action, Severity

__all__ = ["Masked"]

_ALWAYS_MASK = "*▮█■●★☆✱✲∗×?%☐□▢♥❤�"
_SOMETIMES_MASK = "-_.•—–#…~=+^&@"
_ANY = re.escape(_ALWAYS_MASK + _SOMETIMES_MASK)
_STRIKES = re.compile(f"[{re.escape(_ALWAYS_MASK)}]")
_SIGN = re.compile(f"[{_ANY}]")
_LONG_DASH = re.compile("[—–…]")
_WORD = re.compile(rf"(?:[^\W\d_]+|[{_ANY}]+)+")
_PAIR = re.compile(r"[^\W\d_]{2}|[*]{2}")


class Masked(Disguise):
    """Letters struck out, where half of them are left.

    Example: id*ot, n#twit
    Leaves alone: stars between letters ("M*A*S*H"); a question mark after a longer word that a dictionary has
    ("Win or lose?"), unless the term is worse than mild; a dash or stop at the edge of a word.
    Known misses: terms of several words; words of which one letter is left, unless the term is worse than mild.
    Place: after the disguises that say which letter is meant.
    """

    label = "masked"

    def attempts(self, text: DisguisedText) -> Iterator[Attempt]:
        """One for each word with a sign in it that may strike out a letter: `"id*ot"` reads "id?ot".

        Of the terms of one category that fit, the strictest: little is left to tell them apart by.
        """
        plain = text.plain.text
        known: dict[str, list[TermPattern]] = {}
        for match in _words(plain, text.chunks):
            start, word = match.start(), match[0]
            if (
                word.isalpha()
                or plain[start - 1 : start].isdigit()
                or plain[match.end() : match.end() + 1].isdigit()
            ):
                continue
            strong = _STRIKES.search(word) is not None
            # A dash or a stop before or after a word strikes nothing out.
            kept = word.lstrip(_SOMETIMES_MASK) if not strong else word
            start += len(word) - len(kept)
            kept = kept if strong else kept.rstrip(_SOMETIMES_MASK)
            if not _may_be_masked(kept, strong):
                continue
            if kept not in known:
                known[kept] = self._candidates(kept, strong)
            place = text.plain.slice(start, start + len(kept))
            read = place.with_letters(_SIGN.sub("?", kept))
            yield Attempt(self.label, read, list(self._hits(kept, known[kept])))

    def _candidates(self, word: str, strong: bool) -> list[TermPattern]:
        found: dict[
            str, tuple[tuple[Action, Severity], TermPattern]
        ] = {}  # the strictest of each category
        for wanted in dict.fromkeys(_wildcards(word)):
            for suffix in ("", *self._terms.vocabulary.masked_suffixes):
                if wanted.endswith(suffix) and len(wanted) - len(suffix) > 2:
                    body = wanted[: len(wanted) - len(suffix)]
                    for key in _keys(body):
                        for pattern in self._terms.with_wildcards(" " + key):
                            fits = suffix in pattern.suffixes and _enough_letters_left(
                                body, pattern, strong
                            )
                            if fits and (entry := pattern.entry):
                                strict = (entry.action, entry.severity)
                                before = found.get(entry.category)
                                if before is None or before[0] < strict:
                                    found[entry.category] = strict, pattern
        return [pattern for _, pattern in found.values()]

    def _hits(self, word: str, patterns: list[TermPattern]) -> Iterator[Hit]:
        # "Win or lose?" asks; but a short word, or what may be worse than mild, is taken for masked.
        long = len(word) > TUNING.shortest_question
        asked = long and word[-1] == "?" and word[:-1] in self._terms.vocabulary.dictionary
        for pattern in patterns:
            moderate = pattern.entry and pattern.entry.severity >= Severity.MODERATE
            if not asked or moderate:
                yield 0, len(word), pattern.of


def _words(text: str, chunks: Iterable[tuple[int, int]]) -> Iterator[re.Match[str]]:
    for start, end in chunks:
        if _SIGN.search(text, start, end):
            yield from _WORD.finditer(text, start, end)


def _may_be_masked(word: str, strong: bool) -> bool:
    letters = sum(map(str.isalpha, word))
    if (
        len(word) > TUNING.longest_masked
        or letters == len(word)
        or letters < (1 if strong else TUNING.fewest_kept_letters)
    ):
        return False
    # "M*A*S*H": stars between letters, not in place of them
    return letters <= TUNING.fewest_masked_letters or _PAIR.search(word) is not None


def _wildcards(word: str) -> Iterator[str]:
    """What a word may say, with "?" for each letter that is struck out; a long dash takes two."""
    yield _SIGN.sub("?", word)
    if _LONG_DASH.search(word):
        yield _SIGN.sub("?", _LONG_DASH.sub("??", word))


def _keys(body: str) -> Iterator[str]:
    """What a key may look like: as many letters, or one less where a masked one doubles another."""
    key = single_letters(body)[0]
    yield key
    if "?" in key:
        yield key.replace("?", "", 1)


def _enough_letters_left(body: str, pattern: TermPattern, strong: bool) -> bool:
    if pattern.entry is None or not pattern.one_word or sum(pattern.min_repeats) != len(body):
        return False
    known = len(body) - body.count("?")
    if known >= TUNING.fewest_kept_letters or (strong and known >= TUNING.fewest_masked_letters):
        return known * 2 >= len(body)
    # One letter alone says enough only of words that people usually mask so.
    return (
        strong
        and len(body) >= TUNING.shortest_one_letter_left
        and body[0] != "?"
        and pattern.entry.severity >= Severity.MODERATE
    )
