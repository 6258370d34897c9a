from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inkguard.errors import PolicyError
from inkguard.policy.load import content_digest, load_policy, read_policy
from inkguard.types import Action, VerifyWith

if TYPE_CHECKING:
    from inkguard.policy.model import Policy
    from tests.policy.conftest import Author

DETOXIFY = "detoxify:\n  insult: {threshold: %s, category: %s, severity: mild, action: flag}\n"
RULE = "rules:\n  - {name: r, when: %s, action: flag}\n"
EXCEPTION = "exceptions:\n  - {name: x, owner: me, reason: why, %s}\n"
BAD = [
    ("verify: true\ncolour: red\n", "8:1: unknown key; known here: allow, "),
    ("extracton: {}\n", "7:1: unknown key; known here: .* \\(did you mean extraction\\?\\)"),
    ("on_error: explode\n", "7:11: expected one of: allow, flag, substitute, block$"),
    ("on_error: blok\n", "7:11: expected one of: .* \\(did you mean block\\?\\)"),
    ("on_error: substitute\n", "7:11: expected one of: allow, flag, block \\(an error"),
    ("on_error: {lists: flag, ocr: flag}\n", "7:25: unknown key; known here: classifier, "),
    ("verify: perhaps\n", "7:9: expected true, false or all"),
    ("verify: 'true'\n", "7:9: expected true, false or all"),
    ("mode: shadwo\n", "7:7: expected one of: enforce, shadow \\(did you mean shadow\\?\\)"),
    ("match: last\n", "7:8: expected one of: first, strictest"),
    ("name: again\n", "7:1: this key stands here twice"),
    ("allow: nowhere.yaml\n", "7:8: the file named here cannot be read"),
    ("extends: nowhere.yaml\n", "7:10: the file named here cannot be read"),
    ("extends: policy.yaml\n", "7:10: this policy extends itself"),
    ("extraction: [quoted]\n", "7:13: expected a mapping"),
    ("verify: [\n", "8:1: this is not YAML"),
    ("verify: " + "[" * 40 + "]" * 40, "1:1: more than 30 levels"),
    (DETOXIFY % ("1.5", "insult"), "8:23: expected a number from 0 to 1"),
    (DETOXIFY % ("0.5", "insults"), "8:38: .* no such category; it has: .*mean insult\\?"),
    ("detoxify: {insult: null}\n", "7:12: the policy has no such label to take out"),
    (RULE % "{category: slurs}", "8:32: .* no such category; .* \\(did you mean slur\\?\\)"),
    (RULE % "{locale: de}", "8:30: the policy has no such locale; it has: none"),
    (RULE % "{span: [quote]}", "8:29: expected one of: quoted, unquoted, outside .*quoted\\?"),
    (RULE % "{source: []}", "8:30: expected at least one"),
    (RULE % "{score: {at_least: 1, at_most: 0}}", "8:29: at_least is more than at_most"),
    (RULE % "{}" + "  - {name: r, when: {}, action: flag}\n", "9:12: another rule has this name"),
    (EXCEPTION % "expires: 2030-01-01", "8:5: an exception needs text, rule or both"),
    (EXCEPTION % "expires: soon, text: a", "8:48: expected a date: YYYY-MM-DD"),
    (EXCEPTION % "expires: 2030-01-01, text: '!'", "8:66: the text needs a letter or digit"),
    (
        EXCEPTION % "expires: 2030-01-01, rule: insult.mald",
        "8:66: .* no such rule.*mean insult.mild",
    ),
    ("tests: [{prompt: a, action: allow, rule: insult.mild/9}]\n", "7:42: .* no such rule"),
    ("tests: [{prompt: a}]\n", "7:9: missing key: action"),
]
BAD_WORDS = [
    ("    stems: [IDIOT]\n", "8:13: this term stands already at .*words.yaml:6:13"),
    ("    stems: [no]\n", "8:13: expected a string"),
    ("    stems: ['!!']\n", "8:13: a term needs a letter"),
    ("    severe: true\n", "8:5: unknown key"),
    ("    patterns: ['(a']\n", "8:16: RE2 refuses this expression: missing \\)$"),
    ("    patterns: ['a(?=b)']\n", "8:16: RE2 refuses this expression: invalid perl operator$"),
    ("    patterns: ['a*']\n", "8:16: this expression matches the empty text"),
    ("  mild: {severity: mild, action: flag, terms: [x]}\n", "8:3: this key stands here twice"),
    (
        "  mild#4f2a: {severity: mild, action: flag, terms: [x]}\n",
        "8:3: a rule's name must not look like the id of a term",
    ),
]


def refused(path: Path, file: str, message: str) -> str:
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    assert re.match(re.escape(f"{path.parent}/{file}:") + message, str(caught.value)), caught.value
    return str(caught.value)


def test_small_policy(author: Author) -> None:
    """A small policy loads, with the strict defaults."""
    policy = author.load()
    assert (policy.name, policy.version, len(policy.terms)) == ("test", "1", 2)
    assert policy.on_error.classifier is policy.on_error.lists is Action.BLOCK
    assert policy.verify
    assert policy.verify_with is VerifyWith.DEFAULT
    assert not policy.uses_classifier


@pytest.mark.parametrize(
    ("said", "verify", "engines"),
    [
        ("true", True, VerifyWith.DEFAULT),
        ("false", False, VerifyWith.DEFAULT),
        ("all", True, VerifyWith.ALL),
    ],
)
def test_who_reads_pictures_back(
    author: Author, said: str, verify: bool, engines: VerifyWith
) -> None:
    """`verify` says whether pictures are read, and whether by every engine; it is one key."""
    policy = author.load(f"verify: {said}\n")
    assert (policy.verify, policy.verify_with) == (verify, engines)


@pytest.mark.parametrize(("more", "message"), BAD, ids=map(str, range(len(BAD))))
def test_refused(author: Author, more: str, message: str) -> None:
    """What is not understood is refused, with file, line, column and the nearest valid key."""
    refused(author.more(more), "policy.yaml", message)


@pytest.mark.parametrize(("more", "message"), BAD_WORDS, ids=map(str, range(len(BAD_WORDS))))
def test_refused_words(author: Author, more: str, message: str, capfd: object) -> None:
    """So are mistakes in a word list, and the message never quotes a term or an expression."""
    path = author.more(more, "words.yaml")
    text = refused(path, "words.yaml", message)
    assert "IDIOT" not in text
    assert capfd.readouterr().err == ""  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("name: a\nversion: '1'\n", "1:1: missing key: apiVersion"),
        ("apiVersion: inkguard/v2\nname: a\nversion: '1'\n", "1:13: expected inkguard/v1"),
        ("apiVersion: inkguard/v1\nname: a\nversion: '1'\n", "1:1: missing key: categories"),
    ],
)
def test_heads(author: Author, head: str, message: str) -> None:
    """The format's version must be named and known, and a policy needs its parts."""
    refused(author.write("head.yaml", head), "head.yaml", message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("words: {5: [idiot]}", "1:13: the policy's own word lists flag"),
        ("words: {5: [apples]}", "1:13: expected letters a to z, of the length"),
        ("words: {'5': [apples]}", "1:15: expected letters a to z, of the length"),
        ("words: {05: [idiot]}", "1:14: the policy's own word lists flag"),
        ("words: {5.0: [idiot]}", "1:9: expected a whole number from 1 to 40"),
        ("words: {'+5': [idiot]}", "1:9: expected a whole number from 1 to 40"),
        ("words: {true: [a]}", "1:8: expected a whole number from 1 to 40"),
        ("phrases: [a b]", "1:1: expected words for at least one length"),
        ("words: {5: [apple]}\nstrategy: {use: fixed}", "2:11: use: fixed needs words"),
        (
            "words: {5: [apple]}\nstrategy: {use: fixed, words: [YOU IDIOT]}",
            "2:32: the policy's own",
        ),
        ("words: {5: [apple]}\nstrategy: {use: mask, glyph: xy}", "2:30: expected one sign"),
        ("words: {5: [apple]}\nstrategy: {use: blank, words: [a]}", "2:31: words do not go with"),
        ("words: {5: [apple]}\ncategories: {insult: {use: msk}}", "2:28: .*mean mask"),
    ],
)
def test_bad_replacements_are_refused(author: Author, text: str, message: str) -> None:
    """A replacement that the lists flag themselves, or that cannot be drawn as asked."""
    path = author.folder / "policy.yaml"
    author.write("replacements.yaml", text)
    refused(path, "replacements.yaml", message)


def test_missing_policy(tmp_path: Path) -> None:
    """A policy that is not there is an error of the policy."""
    with pytest.raises(PolicyError, match=r"none\.yaml:1:1: "):
        load_policy(tmp_path / "none.yaml")


def test_digest_follows_every_file(author: Author) -> None:
    """Changing a word list changes the policy's digest, which every decision carries."""
    before = author.load().digest
    assert author.load().digest == before == author.load().ref.digest
    assert author.load("    stems: [loser]\n", "words.yaml").digest != before


def test_files_tell_where_reading_failed(author: Author) -> None:
    """What was read, and what could not be, is known also of a policy that does not load."""
    seen: dict[Path, str] = {}
    with pytest.raises(PolicyError):
        read_policy(author.more("allow: nowhere.yaml\n"), seen)
    names = ["policy.yaml", "words.yaml", "nowhere.yaml", "replacements.yaml"]
    assert [file.name for file in seen] == names
    assert [content_digest(file) == digest for file, digest in seen.items()] == [True] * 4
    assert list(seen.values()).index("") == 2


def test_default_policy(default: Policy) -> None:
    """The default policy has a word for each length from 2 to 12, and rules that hold no term."""
    assert set(range(2, 13)) <= default.replacements.words.keys()
    assert len(default.terms) > 500
    assert all(e.term not in e.rule.rpartition("#")[2] for e in default.terms)
