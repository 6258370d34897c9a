"""The donor prompt: the same prompt with harmless words where the toxic ones were."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence

from guard.extract.view import view
from guard.policy.model import Policy
from guard.types import Action, Finding, TextSpan

__all__ = ["donor_prompt"]

_CHUNK = re.compile(r"\S+")
_SEAM = "\0"
_LEET = frozenset("@$€£")
_LEET_INNER = frozenset("!|+")  # punctuation, but for where a word goes on after it


def donor_prompt(
    policy: Policy,
    prompt: str,
    spans: Sequence[TextSpan],
    findings: Iterable[Finding],
    *,
    whole_spans: bool = False,
) -> str:
    """`prompt` with each text that is to be substituted replaced by harmless text of its shape.

    Replacements keep the length, where the policy has a word of that length, and the case. Where
    only the classifier objects to a span, or with `whole_spans` anything does, all words of the
    span are replaced. Deterministic; the caller checks the result again.
    """
    bad = [f for f in findings if f.action >= Action.SUBSTITUTE]
    whole = [f for f in bad if f.source not in ("detoxify", "joined")]
    ranges = [(f.start, f.end) for f in whole]
    pieces = _in_pieces(policy, prompt, [f for f in bad if f.source == "joined"])
    for span in spans:
        inside = [f for f in bad if f.start < span.end and span.start < f.end]
        words = [f for f in inside if f.source != "detoxify"]
        if inside and (whole_spans or not words):
            ranges.append((span.start, span.end))
    merged = _merged(ranges)
    new = {r: _harmless(policy, prompt[slice(*r)]) for r in merged}
    for piece, text in pieces.items():
        if not any(start < piece[1] and piece[0] < end for start, end in merged):
            new[piece] = text
    out: list[str] = []
    at = 0
    for start, end in sorted(new):
        out += (prompt[at:start], new[start, end])
        at = end
    return "".join((*out, prompt[at:]))


def _in_pieces(
    policy: Policy, prompt: str, findings: Iterable[Finding]
) -> dict[tuple[int, int], str]:
    """Per piece of a term its part of one harmless word, which is laid over all of its pieces."""
    seen = view(prompt)
    terms: dict[str, set[tuple[int, int]]] = {}
    for f in findings:
        terms.setdefault(f.rule, set()).add((f.start, f.end))
    new: dict[tuple[int, int], str] = {}
    for places in terms.values():
        free = [p for p in sorted(places) if not any(p[0] < e and s < p[1] for s, e in new)]
        for row in _rows(free, max(policy.replacements.words)):
            old = [seen.drawn(*place) for place in row]
            text = _SEAM.join(old)
            laid = _spelled(policy, text).split(_SEAM) if _slots(text) else []
            if len(laid) != len(row):
                laid = [_harmless(policy, piece) for piece in old]
            new |= zip(row, laid, strict=True)
    return new


def _rows(places: Iterable[tuple[int, int]], longest: int) -> Iterator[list[tuple[int, int]]]:
    """Neighbours that together are no longer than the longest word."""
    row: list[tuple[int, int]] = []
    for place in places:
        if row and sum(end - start for start, end in (*row, place)) > longest:
            yield row
            row = []
        row.append(place)
    if row:
        yield row


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _harmless(policy: Policy, text: str) -> str:
    # Marks and invisible characters decorate the old letters; the new ones do without.
    text = "".join(
        c for c in text if c.isspace() or unicodedata.category(c) not in ("Mn", "Me", "Cf", "Cc")
    )
    chunks = [m[0] for m in _CHUNK.finditer(text)]
    lengths = [len(_slots(chunk)) for chunk in chunks]
    if not any(lengths):
        return policy.replacements.words[min(policy.replacements.words)][0]
    if len(chunks) > 1 and max(lengths) == 1:
        return _spelled(policy, text)
    phrases = policy.replacements.phrases.get(tuple(lengths), ())
    if len(chunks) > 1 and phrases:
        new = iter(_pick(phrases, text).split())
        return _CHUNK.sub(lambda m: _laid(next(new), m[0]), text)
    return _CHUNK.sub(lambda m: _spelled(policy, m[0]) if _slots(m[0]) else m[0], text)


def _slots(text: str) -> list[int]:
    """Where letters stand, or what is read as letters."""
    return [
        i
        for i, c in enumerate(text)
        if c.isalnum()
        or c in _LEET
        or (c in _LEET_INNER and text[i + 1 : i + 2].isalnum())
        or unicodedata.category(c) == "So"
    ]


def _spelled(policy: Policy, text: str) -> str:
    """A word in place of the letters of `text`."""
    words = policy.replacements.words
    length = len(_slots(text))
    nearest = min(words, key=lambda n: (abs(n - length), n))
    return _laid(_pick(words[nearest], text), text)


def _laid(new: str, text: str) -> str:
    """`new` laid into the letters of `text`, whose separators stay: "I-D-I-O-T" to "A-P-P-L-E"."""
    slots = _slots(text)
    new = _styled(new, "".join(text[i] for i in slots))
    if len(new) != len(slots):
        return text[: slots[0]] + new + text[slots[-1] + 1 :]
    laid = list(text)
    for i, char in zip(slots, new, strict=True):
        laid[i] = char
    return "".join(laid)


def _pick(choices: Sequence[str], old: str) -> str:
    """The same for the same text, whatever its case, in every process."""
    key = old.casefold().encode("utf-8", "surrogatepass")
    return choices[zlib.crc32(key) % len(choices)]


def _styled(new: str, old: str) -> str:
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
