"""Reads a policy and the files that it names; refuses what it does not know, with its place."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from inkguard.errors import PolicyError
from inkguard.frozen import freeze
from inkguard.match.matcher import Matcher
from inkguard.package_data import data_folder
from inkguard.policy.imported_lists import FORMATS, read_rows
from inkguard.policy.layers import merged
from inkguard.policy.lists import Lists
from inkguard.policy.model import Policy
from inkguard.policy.replacements import ReplacementsDraft
from inkguard.policy.rule_ids import RuleNames
from inkguard.policy.schema import (
    API_VERSION,
    AllowGroups,
    OrganisationList,
    PolicyFile,
    ReplacementLists,
    WordList,
    names_a_file,
)
from inkguard.policy.schema_types import Known, meant
from inkguard.policy.term_table import Rank, Replaced
from inkguard.policy.validation import validated
from inkguard.policy.yaml_positions import Mistakes, YamlNode, parse
from inkguard.types import VerifyWith

__all__ = ["Loaded", "content_digest", "default_policy_path", "load_policy", "read_policy"]

_DEFAULT = "default"
_NEEDED = ("categories", "wordlists", "replacements")


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
    """The policy at `path`. None is the shipped one, and so is `default` where no file is called so.

    Raises `PolicyError` with all that is wrong with its files.
    """
    return read_policy(path).policy


def read_policy(path: Path | None = None, seen: dict[Path, str] | None = None) -> Loaded:
    """As `load_policy`, with the places of its terms.

    `seen` gets the digest of every file that was read, also where this raises; the empty string for
    one that could not be.
    """
    loader = _Loader({} if seen is None else seen)
    if path is None or (str(path) == _DEFAULT and not path.exists()):
        path = default_policy_path()
    return loader.load(path)


def content_digest(path: Path) -> str:
    """SHA-256 of what stands in a file now; the empty string where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class _Layer:
    """One policy file, and the categories that it and those that it extends have."""

    path: Path
    root: YamlNode
    data: dict[str, Any]
    number: int
    categories: Collection[str] | None


@dataclass(slots=True)
class _Loader:
    """One load: the files read so far, the bytes of all of them for the digest, and what is wrong with them."""

    _seen: dict[Path, str]
    _files: list[Path] = field(default_factory=list)
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    _mistakes: Mistakes = field(default_factory=Mistakes)
    _lists: Lists = field(init=False)
    _whole: bool = True
    _replacements: ReplacementsDraft = field(default_factory=ReplacementsDraft)

    def __post_init__(self) -> None:
        self._lists = Lists(self._mistakes)

    def load(self, path: Path) -> Loaded:
        layers = self._layers(path, None, ())
        if not layers:
            self._mistakes.raise_any()
        for layer in layers:
            self._collect(layer)
        lists, table = self._lists, self._lists.table
        places, patterns = lists.places, lists.patterns
        files = self._policy_files(layers, places)
        entries, allow = table.entries, table.allowed
        said = merged([file for file in files if file is not None])
        matcher = Matcher(entries, allow=allow, compound_parts=said["compound_parts"])
        replacements = self._replacements.finished(matcher, patterns, self._mistakes)
        self._mistakes.raise_any()
        reads = said["verify"]
        same = {f.name for f in fields(Policy)} & said.keys()
        policy = Policy(
            **{key: said[key] for key in same - {"allow", "replacements", "verify"}},
            digest=self._digest.hexdigest(),
            list_rules=lists.rules,
            allow=tuple(allow),
            replacements=replacements,
            terms=tuple(entries),
            matcher=matcher,
            patterns=tuple(patterns),
            verify=reads is not False,
            verify_with=VerifyWith.ALL if reads == "all" else VerifyWith.DEFAULT,
            files=tuple(self._files),
        )
        chain = tuple(layer.path for layer in layers[::-1])
        return Loaded(
            policy=policy,
            places=places,
            allow_places=table.allow_places,
            chain=chain,
            replaced=tuple(table.replaced),
        )

    def _layers(self, path: Path, named: YamlNode | None, inner: tuple[Path, ...]) -> list[_Layer]:
        """The policy files, from the one that extends no other to the one that was asked for."""
        resolved = path.resolve()
        if named is not None and resolved in inner:
            self._mistakes.add(named.place, "this policy extends itself")
            return []
        root = self._parsed(path, named)
        if root is None:
            return []
        data = root.data(self._mistakes)
        if not isinstance(data, dict):
            self._mistakes.add(root.place, "expected a mapping")
            return []
        if (
            data.get("apiVersion", API_VERSION) != API_VERSION
        ):  # another language: no key means anything
            self._mistakes.add(root.at(("apiVersion",)).place, f"expected {API_VERSION}")
            return []
        below: list[_Layer] = []
        name, whole = data.get("extends"), True
        if isinstance(name, str):
            base = default_policy_path() if name == _DEFAULT else path.parent / name
            below = self._layers(base, root.get("extends"), (*inner, resolved))
            whole = bool(below)
            self._whole &= whole
        # What a policy file that cannot be read has of categories is not known, so that none is missed.
        before = below[-1].categories if below else () if whole else None
        own = data.get("categories", {})
        categories = (
            None if before is None or not isinstance(own, dict) else frozenset((*before, *own))
        )
        return [*below, _Layer(path, root, data, len(below), categories)]

    def _collect(self, layer: _Layer) -> None:
        """Read what a policy file names or has in place: word lists, allow-lists, replacements."""
        noted = len(self._mistakes)
        wordlists = layer.data.get("wordlists")
        for number, item in enumerate(wordlists if isinstance(wordlists, list) else ()):
            self._wordlist(layer, layer.root.at(("wordlists", number)), item)
        allow = layer.data.get("allow")
        for number, item in enumerate(allow if isinstance(allow, list) else [allow]):
            self._allow(layer, layer.root.at(("allow", number)), item)
        self._whole &= noted == len(self._mistakes)
        self._replace(layer)

    def _wordlist(self, layer: _Layer, node: YamlNode, item: Any) -> None:
        """A file of the policy's own format, one in place, or an organisation's list."""
        known = Known(categories=layer.categories)
        if isinstance(item, str):
            root = self._parsed(layer.path.parent / item, node)
            if root is None:
                return
            node, item = root, root.data(self._mistakes)
        if isinstance(item, dict) and "file" in item:
            said = validated(OrganisationList, node, item, self._mistakes, known)
            if said is not None:
                path = layer.path.parent / said.file
                data = self._read(path, node.get("file"))
                if data is not None:
                    self._lists.take_external(
                        said, node, path, data, layer.categories, layer.number
                    )
            return
        own = validated(WordList, node, item, self._mistakes, known)
        if own is not None:
            self._lists.take(own, node, layer.number)

    def _allow(self, layer: _Layer, node: YamlNode, item: Any) -> None:
        """A file, groups in place, or a single allowed word or phrase."""
        own = (layer.number, Rank.OWN)
        if isinstance(item, str) and not names_a_file(item):
            if (layer.path.parent / item).is_file():
                endings = ", ".join((".yaml", *FORMATS))
                self._mistakes.add(node.place, f"expected a file named {endings}")
            self._lists.table.add(item, None, node.place, own)
            return
        if isinstance(item, str):
            path = layer.path.parent / item
            if path.suffix in FORMATS:
                data = self._read(path, node)
                rank = (layer.number, Rank.ORGANISATION)
                for row in read_rows(path, data, self._mistakes) if data is not None else ():
                    self._lists.table.add(row.term, None, row.place, rank)
                return
            root = self._parsed(path, node)
            if root is None:
                return
            node, item = root, root.data(self._mistakes)
        elif not isinstance(item, dict):
            return
        groups = validated(AllowGroups, node, item, self._mistakes)
        for name, terms in groups.root.items() if groups is not None else ():
            for term, at in zip(terms, node.at((name,)).values(), strict=True):
                self._lists.table.add(term, None, at.place, own)

    def _replace(self, layer: _Layer) -> None:
        item, node = layer.data.get("replacements"), layer.root.get("replacements")
        if node is None:
            return
        if isinstance(item, str):
            node = self._parsed(layer.path.parent / item, node)
            if node is None:
                return
            item = node.data(self._mistakes)
        known = Known(categories=layer.categories)
        said = validated(ReplacementLists, node, item, self._mistakes, known)
        if said is not None:
            self._replacements.take(said, node)

    def _policy_files(
        self, layers: Sequence[_Layer], held: Collection[str]
    ) -> list[PolicyFile | None]:
        """The policy files themselves, which may name what all of their lists have."""
        labels = set[str]()
        lists, found = self._lists, list[PolicyFile | None]()
        for layer in layers:
            said = layer.data.get("detoxify")
            for label, value in said.items() if isinstance(said, dict) else ():
                if value is None and label not in labels:
                    node = layer.root.at(("detoxify",)).key(label)
                    self._no_label(node or layer.root, str(label), labels)
                labels = labels - {label} if value is None else labels | {str(label)}
        for layer in layers:
            known = Known(categories=layer.categories)
            if self._whole:  # else a list that could not be read may have what seems to be missing
                known = Known(
                    categories=layer.categories,
                    locales={r.locale for r in lists.rules.values() if r.locale is not None},
                    rules=RuleNames(lists.rules, labels, lists.table.ids, held),
                )
            # The tests of an extended policy ask nothing of this one, which may have taken out their terms.
            data = {k: v for k, v in layer.data.items() if k != "tests" or layer is layers[-1]}
            file = validated(PolicyFile, layer.root, data, self._mistakes, known)
            self._rules_once(layer.root.at(("rules",)))
            found.append(file and _placed(file, layer.root))
        top = layers[-1].root
        for key in _NEEDED:
            if not any(key in layer.data for layer in layers):
                self._mistakes.add(
                    top.place, f"missing key: {key} (here, or in a policy that this one extends)"
                )
        return found

    def _no_label(self, node: YamlNode, label: str, labels: Collection[str]) -> None:
        known = meant(label, labels, "it has")
        self._mistakes.add(node.place, f"the policy has no such label to take out; {known}")

    def _rules_once(self, rules: YamlNode) -> None:
        seen: set[str] = set()
        for rule in rules.values():
            name = rule.get("name")
            if name is not None and name.text in seen:
                self._mistakes.add(name.place, "another rule has this name")
            seen.add(name.text if name is not None else "")

    def _parsed(self, path: Path, named: YamlNode | None) -> YamlNode | None:
        data = self._read(path, named)
        if data is None:
            return None
        try:
            return parse(path, data)
        except PolicyError as error:
            self._mistakes.add_all(error)
            return None

    def _read(self, path: Path, named: YamlNode | None) -> bytes | None:
        """The bytes of a file, which count for the digest; `named` is where a policy names it."""
        self._seen[path] = ""
        try:
            data = path.read_bytes()
        except OSError as error:
            problem = error.strerror or "cannot be read"
            if named is not None:
                what = f"the file named here cannot be read: {problem}"
                self._mistakes.add(named.place, what)
            else:
                self._mistakes.add(f"{path}:1:1", f"the file cannot be read: {problem}")
            return None
        self._files.append(path)
        self._seen[path] = hashlib.sha256(data).hexdigest()
        # The length sets files apart: moving a line between two of them is another policy.
        self._digest.update(len(data).to_bytes(8, "big") + data)
        return data


def _placed(file: PolicyFile, root: YamlNode) -> PolicyFile:
    """The same, with the places of what has a place of its own."""
    items: dict[str, Any] = {
        key: tuple(
            item.at(node.place)
            for item, node in zip(getattr(file, key), root.at((key,)).values(), strict=True)
        )
        for key in ("rules", "exceptions", "tests")
        if key in file.model_fields_set
    }
    return file.model_copy(update=items)
