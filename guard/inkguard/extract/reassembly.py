"""Other ways in which the text to be drawn may be read: fragments joined, and letters reversed."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice, pairwise

from inkguard.extract.encoder_view import as_encoder_reads
from inkguard.extract.fragments import first_words, fragments, last_words
from inkguard.extract.tuning import TUNING
from inkguard.languages import LANGUAGES, Language, Vocabulary, vocabulary
from inkguard.text import MappedText
from inkguard.text.mapped_text import Range
from inkguard.types import TextSpan

__all__ = ["Reassembly", "reassemblies"]


@dataclass(frozen=True, slots=True)
class Reassembly:
    """Text that no span holds as it stands. `kind` is "joined" or "reversed".

    The seams of `text` are where fragments meet; `mirrored` says that the prompt asks for text in reverse.
    """

    text: MappedText
    words: Vocabulary
    kind: str = "joined"
    mirrored: bool = False

    def spans_in_prompt(self, start: int, end: int, spans: Sequence[TextSpan]) -> list[Range]:
        """The half-open ranges of the prompt under `text[start:end]`, at most one for each span.

        Empty where this reading says nothing that the prompt as it stands does not, or where plain
        words only happen to read so.
        """
        if not self._is_informative(start, end):
            return []
        reach: dict[int, Range] = {}
        places = zip(self.text.starts[start:end], self.text.ends[start:end], strict=True)
        for place, after in sorted(places):
            at = bisect_right(spans, place, key=_start) - 1
            if at >= 0 and after <= spans[at].end and place < after:
                reach[at] = reach.get(at, (place, 0))[0], after
        return list(reach.values())

    def _is_informative(self, start: int, end: int) -> bool:
        text, tuning = self.text.text, TUNING
        cuts = [cut for cut in self.text.seams if start < cut < end]
        parts = [text[a:b].casefold().strip() for a, b in pairwise((start, *cuts, end))]
        if self.kind == "reversed":
            letters = [char for char in text[start:end].casefold() if char.isalnum()]
            few = len(set(letters)) < tuning.fewest_different_letters
            long = len(letters) >= tuning.shortest_reversed
            return self.mirrored or (long and not few and not all(map(self._is_plain, parts)))
        glued = not any(map(str.isspace, text[start:end]))
        plain = self.words.common.issuperset(parts) and any(len(part) > 1 for part in parts)
        return bool(cuts) and not (glued and plain)

    def _is_plain(self, part: str) -> bool:
        """Whether a word is so plain the other way round that this reading of it is chance."""
        word = part[::-1]
        known = word in self.words.reversible or word in self.words.common
        return known or word.endswith(self.words.reversible_endings)


def _start(span: TextSpan) -> int:
    return span.start


@cache
def _cues(languages: tuple[Language, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What asks for reversed text, and what says that text may be placed in another order."""
    cues = [language.cues for language in languages if language.cues is not None]
    return _any_of(c.mirrored for c in cues), _any_of(c.placed for c in cues)


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(words) or '(?!)'})\b", re.IGNORECASE)


def reassemblies(
    prompt: str,
    spans: Sequence[TextSpan],
    view: MappedText | None = None,
    *,
    languages: tuple[Language, ...] = LANGUAGES,
) -> tuple[Reassembly, ...]:
    """The additional readings of a prompt's spans. Never raises; linear in the prompt.

    `view` is `as_encoder_reads(prompt)`, for a caller that has it already. `'two signs, "HEL" and "LO"'` gives
    "HELLO" among others.
    """
    if not spans:
        return ()
    found = fragments(as_encoder_reads(prompt) if view is None else view, spans, languages)
    if not found:
        return ()
    made = {(r.text.text, tuple(r.text.starts)): r for r in _candidates(prompt, found, languages)}
    return tuple(made.values())


def _candidates(
    prompt: str, found: Sequence[MappedText], languages: tuple[Language, ...]
) -> Iterator[Reassembly]:
    words = vocabulary(languages)
    asks_for_reverse, tells_places = _cues(languages)
    mirrored = asks_for_reverse.search(prompt) is not None
    swapped = len(found) > 1 and tells_places.search(prompt) is not None
    for fragment in found:
        if fragment.seams:
            yield Reassembly(fragment, words)
    if len(found) > 1:
        yield Reassembly(MappedText.join(found, " "), words)
    short = [f for f in found if mirrored or len(f) <= TUNING.longest_reversed]
    if short:
        yield Reassembly(MappedText.join(short, " ").reverse(), words, "reversed", mirrored)
    for glued, reverse in islice(_windows(found, swapped), TUNING.most_windows):
        if reverse:
            yield Reassembly(glued.reverse(), words, "reversed", mirrored)
        else:
            yield Reassembly(glued, words)


def _windows(found: Sequence[MappedText], swapped: bool) -> Iterator[tuple[MappedText, bool]]:
    """Neighbouring fragments without a gap, both ways round, and whether to reverse them."""
    reach = TUNING.seam_reach
    for i, first in enumerate(found):
        row = [last_words(first, reach)]
        length = 0
        for count, fragment in enumerate(islice(found, i + 1, None), 1):
            small = len(first) <= 2 and len(fragment) <= 2
            if (count > TUNING.most_joined and not small) or length > TUNING.most_joined_letters:
                break
            glued = MappedText.join([*row, first_words(fragment, reach)])
            yield glued, False
            yield glued, True
            if swapped:
                parts = (last_words(fragment, reach), *row[1:][::-1], first_words(first, reach))
                yield MappedText.join(parts), False
            if any(map(str.isspace, fragment.text)):
                break  # a word goes no further than through a whole fragment
            row.append(fragment)
            length += len(fragment)
