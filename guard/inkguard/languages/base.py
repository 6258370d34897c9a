"""What the guard knows of a language: its words, its endings, and how its prompts announce text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

__all__ = ["Cues", "Inflection", "Language"]

Inflection = tuple[str, frozenset[str]]
"""A stem, and the endings that it takes; "" for the stem alone. `("happi", {"er", "est"})`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cues:
    """Regular expressions for what announces text in a prompt. `inkguard.extract` puts them together.

    All are verbose (`re.VERBOSE`: a space is `\\s`) and for text in small letters, unless something else is said.
    `"a sign saying HELLO in gold letters"`: "saying" is an `after`, "sign" a `carrier`, "in" an `end`, "in gold
    letters" a `before`.
    """

    after: str
    """What text follows. Three groups may be named: `carried` announces only beside a carrier ("called"), `verb` with
    an article behind it only beside a carrier ("reading a book"), `bare` never with an article behind it ("written")."""
    carriers: str
    """Things that bear text, with up to two words after them."""
    ends: str
    """Words with which the text after a cue ends."""
    no_text: str
    """Words that are no text right after a cue."""
    articles: str
    """Words that begin a thing and not a text."""
    continued: str
    """What text goes on after: groups `placed` and `next` are its next piece ("HEL, followed by LO")."""
    before: str
    """What text precedes. The group `loose` may follow any description ("a red graffiti")."""
    before_starts: str
    """Words that part text from the scene in front of it."""
    before_articles: str
    """Words that part a thing from the scene in front of it, where no text begins."""
    descriptions: frozenset[str] = frozenset()
    """Words that describe a `loose` cue, and are no text."""
    letters: str
    """What announces letters that are listed one by one, in any case."""
    letters_between: str
    """Words between listed letters."""
    letters_small_between: str
    """Words between listed small letters."""
    mirrored: str
    """What says that text is to be read in reverse, in any case."""
    placed: str
    """What says that pieces of text may be read in another order, in any case."""


def _uninflected(word: str) -> Iterable[Inflection]:
    return ((word, frozenset(("",))),)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Language:
    """A language, as far as terms and prompts in it need it. Everything but the code may be left out.

    >>> LATIN = Language(code="la", common=frozenset(("et", "in")))
    """

    code: str
    """ISO 639, as a word list's `locale` begins: "de" of "de-AT"."""
    inflections: Callable[[str], Iterable[Inflection]] = _uninflected
    """The forms of a folded word under which a term is found."""
    dictionary: Callable[[], frozenset[str]] = frozenset
    """Folded words, inflected ones included: none of them is taken for a term in disguise."""
    common: frozenset[str] = frozenset()
    """The plainest words, also short ones: two side by side are no word cut in two."""
    reversible: frozenset[str] = frozenset()
    """Harmless words that are another word in reverse."""
    reversible_endings: tuple[str, ...] = ()
    """Endings of words that are harmless in reverse."""
    misspelled_suffixes: tuple[str, ...] = ()
    """Endings of words that are spelled by ear, longest after their beginnings: "s", "z", "az"."""
    masked_suffixes: tuple[str, ...] = ()
    """Endings that are left of a word whose letters are struck out."""
    cues: Cues | None = None
    frequent: Callable[[], Iterable[str]] = tuple
    """Words by their frequency, the most frequent first: lint looks for false positives among them."""
