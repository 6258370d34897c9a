"""Words with letters struck out: "f**k", "sh#t", "d—k"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from inkguard.languages.dictionary import english_words
from inkguard.match.term_index import Index
from inkguard.match.term_pattern import Form, single_letters
from inkguard.types import Severity

__all__ = ["masked"]

_STRONG = "*▮█■●★☆✱✲∗×?%☐□▢♥❤�"
_WEAK = "-_.•—–#…~=+^&@"
_ANY = re.escape(_STRONG + _WEAK)
_STRIKES = re.compile(f"[{re.escape(_STRONG)}]")
_WORD = re.compile(rf"(?:[^\W\d_]|[{_ANY}])+")
_SUFFIXES = ("", "s", "es", "ed", "er", "ers", "in", "ing", "y")
_PAIR = re.compile(r"[^\W\d_]{2}|[*]{2}")
_LONGEST = 20
_FEWEST_LETTERS = 2
_SHORTEST_QUESTION = 4


def masked(text: str, index: Index) -> Iterator[tuple[int, int, Form]]:
    """Terms of one word that fit what is left of a masked word of the folded `text`.

    Of those of one category, the strictest: little is left to tell them apart by.
    """
    known: dict[str, list[Form]] = {}
    for match in _WORD.finditer(text):
        start, word = match.start(), match[0]
        if (
            word.isalpha()
            or text[start - 1 : start].isdigit()
            or text[match.end() : match.end() + 1].isdigit()
        ):
            continue
        strong = _STRIKES.search(word) is not None
        # A dash or a stop before or after a word strikes nothing out.
        kept = word.lstrip(_WEAK) if not strong else word
        start += len(word) - len(kept)
        kept = kept if strong else kept.rstrip(_WEAK)
        if kept not in known:
            known[kept] = list(_fits(kept, strong, index))
        # "Win or lose?" asks; but a short word, or what may be worse than mild, is taken for masked.
        asked = kept[-1:] == "?" and len(kept) > _SHORTEST_QUESTION and kept[:-1] in english_words()
        for form in known[kept]:
            if not asked or (form.entry and form.entry.severity.rank >= Severity.MODERATE.rank):
                yield start, start + len(kept), form


def _fits(word: str, strong: bool, index: Index) -> Iterator[Form]:
    letters = sum(map(str.isalpha, word))
    if len(word) > _LONGEST or letters == len(word) or letters < (1 if strong else 3):
        return
    if letters > _FEWEST_LETTERS and not _PAIR.search(word):
        return  # "M*A*S*H": stars between letters, not in place of them
    found: dict[str, tuple[tuple[int, int], Form]] = {}  # the strictest of each category
    for pattern in dict.fromkeys(_patterns(word)):
        for suffix in _SUFFIXES:
            if pattern.endswith(suffix) and len(pattern) - len(suffix) > 2:
                body = pattern[: len(pattern) - len(suffix)]
                for key in _keys(body):
                    for form in index.like(" " + key):
                        if suffix in form.rests and form.entry and _meant(body, form, strong):
                            entry = form.entry
                            strict = (entry.action.rank, entry.severity.rank)
                            if found.get(entry.category, ((-1, -1),))[0] < strict:
                                found[entry.category] = strict, form
    yield from (form for _, form in found.values())


def _patterns(word: str) -> Iterator[str]:
    """What a word may say, with "?" for each letter that is struck out; a long dash takes two."""
    yield re.sub(rf"[{_ANY}]", "?", word)
    if re.search("[—–…]", word):
        yield re.sub(rf"[{_ANY}]", "?", re.sub("[—–…]", "??", word))


def _keys(body: str) -> Iterator[str]:
    """What a key may look like: as many letters, or one less where a masked one doubles another."""
    key = single_letters(body)[0]
    yield key
    if "?" in key:
        yield key.replace("?", "", 1)


def _meant(body: str, form: Form, strong: bool) -> bool:
    if form.entry is None or not form.single or sum(form.runs) != len(body):
        return False
    known = len(body) - body.count("?")
    if known >= 3 or (strong and known >= _FEWEST_LETTERS):
        return known * 2 >= len(body)
    # One letter alone says enough only of words that people usually mask so.
    return (
        strong
        and len(body) >= 4
        and body[0] != "?"
        and form.entry.severity.rank >= Severity.MODERATE.rank
    )
