"""Harmless text, and how it is chosen; a policy's own goes over that of the one it extends."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from inkguard.match.matcher import Matcher
from inkguard.match.regexes import Pattern
from inkguard.policy.model import Replacements, Strategy, Use
from inkguard.policy.yaml_positions import Node

__all__ = ["ReplacementsDraft"]

_KEYS = frozenset(("words", "phrases", "strategy", "categories"))


@dataclass(slots=True)
class ReplacementsDraft:
    """What has been read so far, as nodes: words can be judged only when all word lists are read."""

    _words: dict[int, list[Node]] = field(default_factory=dict)
    _phrases: list[Node] = field(default_factory=list)
    _strategy: Strategy = field(default_factory=Strategy)
    _categories: dict[str, Strategy] = field(default_factory=dict)
    _chosen: list[Node] = field(default_factory=list)
    _root: Node | None = None

    def take(self, root: Node, categories: Collection[str]) -> None:
        """A file's or a policy's `replacements`. Words of a length, and phrases, replace those before."""
        fields = root.fields(required=frozenset(), optional=_KEYS)
        self._root = root
        for key, node in fields["words"].items() if "words" in fields else ():
            words = node.list()
            if not words:
                node.fail("a length needs words")
            self._words[key.integer(1, 40)] = words
        if "phrases" in fields:
            self._phrases = fields["phrases"].list()
        if "strategy" in fields:
            self._strategy = self._read(fields["strategy"])
        for key, node in fields["categories"].items() if "categories" in fields else ():
            self._categories[key.known("category", categories)] = self._read(node)

    def finished(self, words: Matcher, patterns: Sequence[Pattern]) -> Replacements:
        """All of it, judged by the policy's lists."""
        assert self._root is not None
        if not self._words:
            self._root.fail("expected words for at least one length")
        by_length = {
            length: tuple(_harmless(node, (length,), words, patterns) for node in nodes)
            for length, nodes in sorted(self._words.items())
        }
        by_shape: dict[tuple[int, ...], list[str]] = {}
        for node in self._phrases:
            shape = tuple(map(len, node.string().split()))
            by_shape.setdefault(shape, []).append(_harmless(node, shape, words, patterns))
        for node in self._chosen:
            _judged(node, words, patterns)
        return Replacements(
            words=by_length,
            phrases={shape: tuple(texts) for shape, texts in by_shape.items()},
            strategy=self._strategy,
            categories=self._categories,
        )

    def _read(self, node: Node) -> Strategy:
        fields = node.fields(required=frozenset(("use",)), optional=frozenset(("words", "glyph")))
        use = fields["use"].choice(Use)
        if "words" in fields and use in (Use.MASK, Use.BLANK):
            fields["words"].fail("words do not go with use: mask and use: blank")
        if "glyph" in fields and use is not Use.MASK:
            fields["glyph"].fail("a glyph goes with use: mask only")
        nodes = fields["words"].list() if "words" in fields else []
        if use is Use.FIXED and not nodes:
            node.fail("use: fixed needs words")
        for word in nodes if use in (Use.SAME_LENGTH, Use.LOOK_ALIKE) else ():
            _lettered(word)
        self._chosen += nodes
        glyph = fields["glyph"].string() if "glyph" in fields else "*"
        if len(glyph) != 1 or glyph.isalnum() or not glyph.isprintable():
            fields["glyph"].fail("expected one sign that is no letter or digit")
        return Strategy(use=use, words=tuple(n.string() for n in nodes), glyph=glyph)


def _harmless(
    node: Node, shape: tuple[int, ...], words: Matcher, patterns: Sequence[Pattern]
) -> str:
    parts = node.string().split()
    if tuple(map(len, parts)) != shape or not all(p.isascii() and p.isalpha() for p in parts):
        node.fail("expected letters a to z, of the length that this list is for")
    return _judged(node, words, patterns)


def _lettered(node: Node) -> None:
    word = node.string()
    if not (word.isascii() and word.isalpha() and len(word) <= 40):
        node.fail("expected a word of letters a to z")


def _judged(node: Node, words: Matcher, patterns: Sequence[Pattern]) -> str:
    text = node.string()
    if words.find(text) or any(any(p.find(text)) for p in patterns):
        node.fail("the policy's own word lists flag this replacement")
    return text
