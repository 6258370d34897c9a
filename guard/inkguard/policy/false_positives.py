"""Harmless words that a policy's terms hit: names, places and common words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from inkguard.errors import PolicyError
from inkguard.languages import LANGUAGES
from inkguard.match.matcher import Entry, Matching
from inkguard.match.term_pattern import single_letters, words_of
from inkguard.policy.load import default_policy_path
from inkguard.policy.model import Policy
from inkguard.policy.schema import AllowGroups
from inkguard.policy.validation import validated
from inkguard.policy.yaml_positions import Mistakes, decoded, parse

__all__ = ["Hit", "common_words", "harmless_words", "hits"]

_COMMON = 20_000


@dataclass(frozen=True, slots=True)
class Hit:
    """A harmless word that a rule finds, and in which reading of it. `group` is its list's."""

    word: str
    group: str
    rule: str
    reading: str


def hits(policy: Policy, more: Path | None = None) -> Iterator[Hit]:
    """What the policy finds of the names, places and words of `policies/harmless.yaml` and of `more`.

    Also common English words that are found by chance: inside of them, or in a reading other than the
    plain one; the first one for each term.
    """
    groups = harmless_words(default_policy_path().parent / "harmless.yaml")
    if more is not None:
        groups |= {f"{group}, yours": words for group, words in harmless_words(more).items()}
    for group, words in groups.items():
        for word in words:
            if word.casefold() not in policy.may_hit:
                yield from _found(policy, word, group)
    seen: set[str] = set()
    for word in common_words():
        if word in policy.may_hit:
            continue
        for match in policy.matcher.find(word):
            chance = match.reading != "plain" or not _is_meant(match.entry, word)
            if chance and match.entry.rule not in seen:
                seen.add(match.entry.rule)
                yield Hit(word, "common word", match.entry.rule, match.reading)


def _found(policy: Policy, word: str, group: str) -> Iterator[Hit]:
    for match in policy.matcher.find(word):
        yield Hit(word, group, match.entry.rule, match.reading)
    for pattern in policy.patterns:
        if any(pattern.find(word)) and not policy.matcher.allows(word):
            yield Hit(word, group, pattern.rule, "pattern")


def _is_meant(entry: Entry, word: str) -> bool:
    """Whether the author of a term meant a word: of a stem, only what begins with it."""
    if entry.matching is not Matching.STEM:
        return True
    key, _ = single_letters("".join(words_of(word)))
    return key.startswith(single_letters("".join(words_of(entry.term)))[0])


def common_words() -> Iterator[str]:
    """The most frequent words of each language that knows them, the most frequent first."""
    return chain.from_iterable(islice(known.frequent(), _COMMON) for known in LANGUAGES)


def harmless_words(path: Path) -> dict[str, list[str]]:
    """Words by group, from a YAML file of groups or a text file with one a line; raises PolicyError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PolicyError(f"{path}:1:1", f"the file cannot be read: {error.strerror}") from None
    if path.suffix in (".yaml", ".yml"):
        root, mistakes = parse(path, data), Mistakes()
        groups = validated(AllowGroups, root, root.data(mistakes), mistakes)
        mistakes.raise_any()
        return {name: list(words) for name, words in groups.root.items()} if groups else {}
    lines = decoded(path, data).splitlines()
    return {path.name: [line.strip() for line in lines if line.strip() and line[0] != "#"]}
