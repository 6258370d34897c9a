"""Reads a policy and the files that it names; refuses what it does not know, with its place."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from inkguard.errors import PolicyError
from inkguard.frozen import freeze
from inkguard.match.matcher import Matcher
from inkguard.package_data import data_folder
from inkguard.policy import sections
from inkguard.policy.imported_lists import FORMATS, read_rows
from inkguard.policy.lists import Lists
from inkguard.policy.model import (
    Extraction,
    Mode,
    OnError,
    Policy,
    Threshold,
    WholePrompt,
)
from inkguard.policy.replacements import ReplacementsDraft
from inkguard.policy.term_table import Rank, Replaced
from inkguard.policy.yaml_positions import Node, parse
from inkguard.types import VerifyWith

__all__ = [
    "API_VERSION",
    "Loaded",
    "content_digest",
    "default_policy_path",
    "load_policy",
    "read_policy",
]

T = TypeVar("T")
API_VERSION = "inkguard/v1"
_DEFAULT = "default"
_REQUIRED = frozenset(("apiVersion", "name", "version"))
_ONCE = ("categories", "wordlists", "replacements")
_OPTIONAL = frozenset(
    (
        *_ONCE,
        "allow",
        "compound_parts",
        "detoxify",
        "exceptions",
        "extends",
        "extraction",
        "lint",
        "match",
        "mode",
        "on_error",
        "rules",
        "tests",
        "verify",
        "whole_prompt",
    )
)


class _Match(enum.Enum):
    FIRST = "first"
    STRICTEST = "strictest"


def default_policy_path() -> Path:
    """The policy that comes with the package: inside of a wheel, or at the top of a checkout."""
    return data_folder("policies") / "default.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A policy, and what its authors' tools ask of it.

    `places` says where each term and expression stands (file:line:column, by its id), `allow_places`
    where each allowed term does (by the term); `chain` are the policy files, the outermost first;
    `replaced` are terms that stand twice.
    """

    policy: Policy
    places: Mapping[str, str]
    allow_places: Mapping[str, str]
    chain: tuple[Path, ...]
    replaced: tuple[Replaced, ...]

    def __post_init__(self) -> None:
        freeze(self)


def load_policy(path: Path | None = None) -> Policy:
    """The policy at `path`, or the default one.

    Raises `PolicyError`, whose message begins with file:line:column.
    """
    return read_policy(path).policy


def read_policy(path: Path | None = None, seen: dict[Path, str] | None = None) -> Loaded:
    """As `load_policy`, with the places of its terms.

    `seen` gets the digest of every file that was read, also where this raises; the empty string for
    one that could not be.
    """
    loader = _Loader({} if seen is None else seen)
    return loader.load(default_policy_path() if path is None else Path(path))


def content_digest(path: Path) -> str:
    """SHA-256 of what stands in a file now; the empty string where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class _Layer:
    path: Path
    root: Node
    fields: Mapping[str, Node]


@dataclass(slots=True)
class _Loader:
    """One load: the files read so far, and the bytes of all of them for the digest."""

    _seen: dict[Path, str]
    _files: list[Path] = field(default_factory=list)
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    _lists: Lists = field(default_factory=Lists)
    _categories: dict[str, str] = field(default_factory=dict)
    _detoxify: dict[str, Threshold] = field(default_factory=dict)
    _parts: list[str] = field(default_factory=list)
    _replacements: ReplacementsDraft = field(default_factory=ReplacementsDraft)

    def load(self, path: Path) -> Loaded:
        layers = self._layers(path, None, ())
        top = layers[-1]
        for key in _ONCE:
            if not any(key in layer.fields for layer in layers):
                top.root.fail(f"missing key: {key} (here, or in a policy that this one extends)")
        for number, layer in enumerate(layers):
            self._collect(number, layer)
        table = self._lists.table
        entries, allow = table.entries, table.allowed
        words = Matcher(entries, allow=allow, compound_parts=self._parts)
        places, patterns = self._lists.places, self._lists.patterns
        names = sections.RuleNames(self._lists.rules, self._detoxify, table.ids, places)
        locales = {rule.locale for rule in self._lists.rules.values() if rule.locale is not None}
        outer_first = layers[::-1]
        verify, verify_with = _last(
            layers, "verify", (True, VerifyWith.DEFAULT), lambda n, _: sections.verify(n)
        )
        policy = Policy(
            name=top.fields["name"].string(),
            version=top.fields["version"].string(),
            digest=self._digest.hexdigest(),
            categories=self._categories,
            lists=self._lists.rules,
            detoxify=self._detoxify,
            allow=tuple(allow),
            replacements=self._replacements.finished(words, patterns),
            entries=tuple(entries),
            words=words,
            patterns=tuple(patterns),
            compound_parts=tuple(self._parts),
            rules=tuple(
                rule
                for node in _each(outer_first, "rules")
                for rule in sections.rules(node, self._categories, locales)
            ),
            first=_last(layers, "match", _Match.FIRST, lambda n, _: n.choice(_Match))
            is _Match.FIRST,
            exceptions=tuple(
                exception
                for node in _each(outer_first, "exceptions")
                for exception in sections.exceptions(node, names)
            ),
            mode=_last(layers, "mode", Mode.ENFORCE, lambda n, _: n.choice(Mode)),
            on_error=_last(layers, "on_error", OnError(), sections.on_error),
            verify=verify,
            verify_with=verify_with,
            extraction=_last(layers, "extraction", Extraction(), sections.extraction),
            whole_prompt=_last(layers, "whole_prompt", WholePrompt(), sections.whole_prompt),
            tests=tuple(sections.tests(top.fields["tests"], self._categories, names))
            if "tests" in top.fields
            else (),
            may_hit=frozenset(
                word for node in _each(layers, "lint") for word in sections.may_hit(node)
            ),
            files=tuple(self._files),
        )
        return Loaded(
            policy=policy,
            places=places,
            allow_places=table.allow_places,
            chain=tuple(layer.path for layer in outer_first),
            replaced=tuple(table.replaced),
        )

    def _layers(self, path: Path, named: Node | None, inner: tuple[Path, ...]) -> list[_Layer]:
        """The policy files, from the one that extends no other to the one that was asked for."""
        resolved = path.resolve()
        if named is not None and resolved in inner:
            named.fail("this policy extends itself")
        root = parse(path, self._read(path, named))
        fields = root.fields(required=_REQUIRED, optional=_OPTIONAL)
        if fields["apiVersion"].scalar() != API_VERSION:
            fields["apiVersion"].fail(f"expected {API_VERSION}")
        base: list[_Layer] = []
        if "extends" in fields:
            node = fields["extends"]
            name = node.string()
            below = default_policy_path() if name == _DEFAULT else path.parent / name
            base = self._layers(below, node, (*inner, resolved))
        return [*base, _Layer(path, root, fields)]

    def _collect(self, number: int, layer: _Layer) -> None:
        fields, path = layer.fields, layer.path
        if "categories" in fields:
            self._categories |= {k.string(): v.string() for k, v in fields["categories"].items()}
        for node in fields["wordlists"].list() if "wordlists" in fields else ():
            self._wordlist(node, path, number)
        for node in fields["allow"].one_or_more() if "allow" in fields else ():
            self._allow(node, path, number)
        if "compound_parts" in fields:
            self._parts += (n.string() for n in fields["compound_parts"].list())
        if "detoxify" in fields:
            sections.thresholds(fields["detoxify"], self._detoxify, self._categories)
        if "replacements" in fields:
            node = fields["replacements"]
            root = node if node.is_mapping else parse(*self._named(path, node))
            self._replacements.take(root, self._categories)

    def _wordlist(self, node: Node, path: Path, number: int) -> None:
        """A file of the policy's own format, one in place, or an organisation's list."""
        if node.is_scalar:
            self._lists.take(parse(*self._named(path, node)), self._categories, number)
        elif node.is_mapping and any(key.scalar() == "file" for key, _ in node.items()):
            file = next(value for key, value in node.items() if key.scalar() == "file")
            self._lists.take_external(node, *self._named(path, file), self._categories, number)
        else:
            self._lists.take(node, self._categories, number)

    def _allow(self, node: Node, path: Path, number: int) -> None:
        file, data = self._named(path, node)
        table = self._lists.table
        if file.suffix in FORMATS:
            for row in read_rows(file, data):
                table.add(row.term, None, row.place, (number, Rank.ORGANISATION))
            return
        for _, terms in parse(file, data).items():
            for term in terms.list():
                table.add(term.string(), None, term.place, (number, Rank.OWN))

    def _named(self, base: Path, node: Node) -> tuple[Path, bytes]:
        path = base.parent / node.string()
        return path, self._read(path, node)

    def _read(self, path: Path, named: Node | None) -> bytes:
        self._seen[path] = ""
        try:
            data = path.read_bytes()
        except OSError as error:
            problem = error.strerror or "cannot be read"
            if named is not None:
                named.fail(f"the file named here cannot be read: {problem}")
            raise PolicyError(f"{path}:1:1: the file cannot be read: {problem}") from None
        self._files.append(path)
        self._seen[path] = hashlib.sha256(data).hexdigest()
        # The length sets files apart: moving a line between two of them is another policy.
        self._digest.update(len(data).to_bytes(8, "big") + data)
        return data


def _each(layers: Iterable[_Layer], key: str) -> Iterator[Node]:
    return (layer.fields[key] for layer in layers if key in layer.fields)


def _last(layers: Iterable[_Layer], key: str, value: T, read: Callable[[Node, T], T]) -> T:
    """What the last layer says; `read` gets what the layers before it said."""
    for node in _each(layers, key):
        value = read(node, value)
    return value
