"""Harmless text of all policy files together, judged by the policy's own lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from inkguard.match.matcher import Matcher
from inkguard.match.regexes import Pattern
from inkguard.policy.model import Replacements
from inkguard.policy.schema import ReplacementLists
from inkguard.policy.yaml_positions import Mistakes, YamlNode

__all__ = ["ReplacementsDraft"]


@dataclass(slots=True)
class ReplacementsDraft:
    """What has been read so far, with its places: words can be judged only when all word lists are read."""

    said: ReplacementLists = field(default_factory=ReplacementLists)
    _words: dict[int, list[YamlNode]] = field(default_factory=dict)
    _phrases: list[YamlNode] = field(default_factory=list)
    _chosen: list[YamlNode] = field(default_factory=list)
    _root: YamlNode | None = None

    def take(self, said: ReplacementLists, root: YamlNode) -> None:
        """A file's or a policy's `replacements`. Words of a length, and phrases, replace those before."""
        self._root = root
        if (words := root.get("words")) is not None:
            self._words |= {int(length.text): own.values() for length, own in words.pairs()}
        if "phrases" in said.model_fields_set:
            self._phrases = root.at(("phrases",)).values()
        if said.strategy.words:
            self._chosen += root.at(("strategy", "words")).values()
        for category, strategy in said.categories.items():
            if strategy.words:
                self._chosen += root.at(("categories", category, "words")).values()
        before = self.said
        self.said = ReplacementLists(
            words={**before.words, **said.words},
            phrases=said.phrases if "phrases" in said.model_fields_set else before.phrases,
            strategy=said.strategy if "strategy" in said.model_fields_set else before.strategy,
            categories={**before.categories, **said.categories},
        )

    def finished(
        self, matcher: Matcher, patterns: Sequence[Pattern], mistakes: Mistakes
    ) -> Replacements:
        """All of it; what the lists flag, or what does not have its shape, is a mistake."""

        def judge(node: YamlNode, shape: tuple[int, ...] | None) -> None:
            text = node.text
            parts = text.split()
            fits = tuple(map(len, parts)) == shape and all(
                p.isascii() and p.isalpha() for p in parts
            )
            if shape is not None and not fits:
                problem = "expected letters a to z, of the length that this list is for"
                mistakes.add(node.place, problem)
            elif matcher.find(text) or any(any(p.find(text)) for p in patterns):
                mistakes.add(node.place, "the policy's own word lists flag this replacement")

        if self._root is not None and not self._words:
            mistakes.add(self._root.place, "expected words for at least one length")
        for length, nodes in sorted(self._words.items()):
            for node in nodes:
                judge(node, (length,))
        phrases: dict[tuple[int, ...], list[str]] = {}
        for node, phrase in zip(self._phrases, self.said.phrases, strict=True):
            shape = tuple(map(len, phrase.split()))
            judge(node, shape)
            phrases.setdefault(shape, []).append(phrase)
        for node in self._chosen:
            judge(node, None)
        return Replacements(
            words=dict(sorted(self.said.words.items())),
            phrases={shape: tuple(texts) for shape, texts in phrases.items()},
            strategy=self.said.strategy,
            categories=self.said.categories,
        )
