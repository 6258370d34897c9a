"""Reads a policy and the files that it names; refuses what it does not know, with its place."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from guard.classify.normalize import fold
from guard.classify.wordlist import Entry, Matching, WordLists
from guard.errors import PolicyError
from guard.policy.model import Extraction, Policy, Replacements, Rule, Threshold, WholePrompt
from guard.policy.nodes import Node, parse
from guard.types import Action, Severity

__all__ = ["default_policy_path", "load_policy"]

_REQUIRED = frozenset(("name", "version", "categories", "wordlists", "replacements"))
_OPTIONAL = frozenset(
    (
        "allow",
        "compound_parts",
        "detoxify",
        "extraction",
        "on_error",
        "verify",
        "whole_prompt",
    )
)


def default_policy_path() -> Path:
    """The policy that comes with the package: inside of a wheel, or at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_policies" / "default.yaml"
    return installed if installed.is_file() else package.parent / "policies" / "default.yaml"


def load_policy(path: Path | None = None) -> Policy:
    """The policy at `path`, or the default one.

    Raises `PolicyError`, whose message begins with file:line:column.
    """
    return _Loader().load(default_policy_path() if path is None else Path(path))


@dataclass(slots=True)
class _Loader:
    """What one load has seen so far: bytes for the digest, terms for finding duplicates."""

    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    _seen: dict[str, str] = field(default_factory=dict)

    def load(self, path: Path) -> Policy:
        root = self._read(path, None)
        fields = root.fields(required=_REQUIRED, optional=_OPTIONAL)
        categories = {k.string(): v.string() for k, v in fields["categories"].items()}
        rules: list[Rule] = []
        entries: list[Entry] = []
        for node in fields["wordlists"].list():
            self._wordlist(self._read(path, node), categories, rules, entries)
        allow = tuple(self._allow(path, fields["allow"])) if "allow" in fields else ()
        parts = (
            [n.string() for n in fields["compound_parts"].list()]
            if ("compound_parts" in fields)
            else []
        )
        words = WordLists(entries, allow=allow, compound_parts=parts)
        replacements = _replacements(self._read(path, fields["replacements"]), words)
        return Policy(
            name=fields["name"].string(),
            version=fields["version"].string(),
            digest=self._digest.hexdigest(),
            categories=MappingProxyType(categories),
            rules=tuple(rules),
            detoxify=MappingProxyType(_thresholds(fields.get("detoxify"), categories)),
            allow=allow,
            replacements=replacements,
            entries=tuple(entries),
            words=words,
            on_error=fields["on_error"].choice(Action) if "on_error" in fields else Action.BLOCK,
            verify=fields["verify"].boolean() if "verify" in fields else True,
            extraction=_extraction(fields.get("extraction")),
            whole_prompt=_whole_prompt(fields.get("whole_prompt")),
        )

    def _read(self, base: Path, node: Node | None) -> Node:
        path = base if node is None else base.parent / node.string()
        try:
            data = path.read_bytes()
        except OSError as error:
            problem = error.strerror or "cannot be read"
            if node is not None:
                node.fail(f"the file named here cannot be read: {problem}")
            raise PolicyError(f"{path}:1:1: the file cannot be read: {problem}") from None
        # The length sets files apart: moving a line between two of them is another policy.
        self._digest.update(len(data).to_bytes(8, "big") + data)
        return parse(path, data)

    def _wordlist(
        self, root: Node, categories: dict[str, str], rules: list[Rule], entries: list[Entry]
    ) -> None:
        fields = root.fields(required=frozenset(("category", "rules")), optional=frozenset())
        category = _category(fields["category"], categories)
        for key, node in fields["rules"].items():
            name = f"{category}.{key.string()}"
            if any(rule.name == name for rule in rules):
                key.fail("another word list has a rule of this name")
            parts = node.fields(
                required=frozenset(("severity", "action")),
                optional=frozenset(("everywhere", *(m.value for m in Matching))),
            )
            rule = Rule(
                name=name,
                category=category,
                severity=parts["severity"].choice(Severity),
                action=parts["action"].choice(Action),
                everywhere=parts["everywhere"].boolean() if "everywhere" in parts else False,
            )
            rules.append(rule)
            terms = [(m, t) for m in Matching if m.value in parts for t in parts[m.value].list()]
            if not terms:
                node.fail("a rule needs terms")
            entries += (
                Entry(
                    term=self._term(term),
                    rule=f"{name}/{number}",
                    category=category,
                    severity=rule.severity,
                    action=rule.action,
                    matching=matching,
                    everywhere=rule.everywhere,
                )
                for number, (matching, term) in enumerate(terms, 1)
            )

    def _allow(self, base: Path, node: Node) -> list[str]:
        return [
            self._term(term) for _, terms in self._read(base, node).items() for term in terms.list()
        ]

    def _term(self, node: Node) -> str:
        term = node.string()
        folded = " ".join("".join(c if c.isalnum() else " " for c in fold(term).text).split())
        if not folded:
            node.fail("a term needs a letter or digit")
        if folded in self._seen:
            node.fail(f"this term stands already at {self._seen[folded]}")
        mark = node.raw.start_mark
        self._seen[folded] = f"{node.file}:{mark.line + 1}:{mark.column + 1}"
        return term


def _category(node: Node, categories: dict[str, str]) -> str:
    category = node.string()
    if category not in categories:
        node.fail("the policy has no such category; it has: " + ", ".join(sorted(categories)))
    return category


def _thresholds(node: Node | None, categories: dict[str, str]) -> dict[str, Threshold]:
    found: dict[str, Threshold] = {}
    for label, value in node.items() if node else ():
        fields = value.fields(
            required=frozenset(("threshold", "category", "severity", "action")),
            optional=frozenset(),
        )
        found[label.string()] = Threshold(
            minimum=fields["threshold"].fraction(),
            category=_category(fields["category"], categories),
            severity=fields["severity"].choice(Severity),
            action=fields["action"].choice(Action),
        )
    return found


def _extraction(node: Node | None) -> Extraction:
    known = frozenset(("quoted", "unquoted"))
    fields = node.fields(required=frozenset(), optional=known) if node else {}
    return Extraction(**{name: value.boolean() for name, value in fields.items()})


def _whole_prompt(node: Node | None) -> WholePrompt:
    if node is None:
        return WholePrompt()
    fields = node.fields(required=frozenset(("check", "strictest")), optional=frozenset())
    return WholePrompt(
        check=fields["check"].boolean(), strictest=fields["strictest"].choice(Action)
    )


def _replacements(root: Node, words: WordLists) -> Replacements:
    fields = root.fields(required=frozenset(("words", "phrases")), optional=frozenset())
    by_length: dict[int, tuple[str, ...]] = {}
    for key, node in fields["words"].items():
        length = key.integer(1, 40)
        by_length[length] = tuple(_harmless(n, (length,), words) for n in node.list())
        if not by_length[length]:
            node.fail("a length needs words")
    if not by_length:
        fields["words"].fail("expected words for at least one length")
    by_shape: dict[tuple[int, ...], list[str]] = {}
    for node in fields["phrases"].list():
        shape = tuple(map(len, node.string().split()))
        by_shape.setdefault(shape, []).append(_harmless(node, shape, words))
    phrases = {shape: tuple(texts) for shape, texts in by_shape.items()}
    return Replacements(words=MappingProxyType(by_length), phrases=MappingProxyType(phrases))


def _harmless(node: Node, shape: tuple[int, ...], words: WordLists) -> str:
    text = node.string()
    parts = text.split()
    if tuple(map(len, parts)) != shape or not all(p.isascii() and p.isalpha() for p in parts):
        node.fail("expected letters a to z, of the length that this list is for")
    if words.find(text):
        node.fail("the policy's own word lists flag this replacement")
    return text
