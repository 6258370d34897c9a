"""`inkguard policy lint` on small policies."""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING

import pytest

from inkguard.policy.lint import Level, problems
from inkguard.policy.load import read_policy
from tests.cli.policy.cli import TESTS, call

if TYPE_CHECKING:
    from inkguard.policy.lint import Problem
    from tests.policy.conftest import Author


def lint(author: Author, more: str = "", **day: int) -> list[Problem]:
    path = author.folder / "policy.yaml"
    path.write_text(path.read_text() + more)
    today = datetime.date(**day) if day else None
    return [p for p in problems(read_policy(path), None, today) if p.level is not Level.NOTE]


def test_lint_of_a_good_policy(author: Author) -> None:
    """Nothing found, exit code 0."""
    author.write(
        "words.yaml",
        "category: insult\nrules: {mild: {severity: mild, action: flag, terms: [idiot]}}\n",
    )
    path = author.folder / "policy.yaml"
    path.write_text(path.read_text().replace(", slur: hateful", "") + TESTS)
    assert "nothing found" in call("lint", path).stdout


@pytest.mark.parametrize(
    ("rules", "texts"),
    [
        (
            "  - {name: a, when: {category: insult}, action: flag}\n"
            "  - {name: b, when: {category: insult, span: quoted}, action: block}\n",
            ["rule b: rule a, before it, fits all that it fits"],
        ),
        (
            "  - {name: a, when: {category: insult, span: quoted}, action: block}\n"
            "  - {name: b, when: {category: insult}, action: flag}\n",
            [],
        ),
        (
            "  - {name: a, when: {category: insult, span: quoted}, action: flag}\n"
            "  - {name: b, when: {category: insult}, action: block}\nmatch: strictest\n",
            ["rule a: rule b, at least as strict, fits all that it fits"],
        ),
        ("  - {name: a, when: {category: slur}, action: flag}\n", ["rule a: no finding"]),
        ("  - {name: a, when: {severity: severe}, action: flag}\n", ["rule a: no finding"]),
        ("  - {name: a, when: {source: detoxify}, action: flag}\n", ["rule a: no finding"]),
        ("  - {name: a, when: {score: {at_most: 0.5}}, action: flag}\n", ["rule a: no finding"]),
        ("  - {name: a, when: {source: joined, span: outside}, action: flag}\n", ["rule a: no"]),
    ],
)
def test_lint_unreachable_rules(author: Author, rules: str, texts: list[str]) -> None:
    """Rules that can never decide anything are errors, with their place."""
    found = [p for p in lint(author, "rules:\n" + rules) if p.kind == "unreachable rules"]
    assert [p.text[: len(t)] for p, t in zip(found, texts, strict=True)] == texts
    assert all(p.level is Level.ERROR and "policy.yaml:" in p.place for p in found)


def test_lint_expired_exceptions(author: Author) -> None:
    """One that is over is an error, one that soon will be a note."""
    more = "exceptions: [{name: x, owner: me, reason: r, expires: 2026-06-30, rule: insult.mild}]\n"
    assert "expired exceptions" not in {
        p.kind for p in lint(author, more, year=2026, month=6, day=30)
    }
    (found,) = [
        p for p in lint(author, year=2026, month=7, day=1) if p.kind == "expired exceptions"
    ]
    assert found.text == "exception x ended on 2026-06-30: ask me, or take it out"
    every = problems(read_policy(author.folder / "policy.yaml"), None, datetime.date(2026, 6, 15))
    assert "exceptions that end soon" in {p.kind for p in every}


def test_lint_terms(author: Author) -> None:
    """Terms that stand twice, add nothing, are never found, or hit harmless words."""
    author.write(
        "words.yaml",
        "category: insult\nrules:\n  mild:\n    severity: mild\n    action: flag\n"
        "    terms: [idiot, idiots, such a fool, moor]\n    stems: [itch]\n",
    )
    author.write("allow.txt", "such a fool\nmore\n")
    author.write("own.txt", "Idiot\nfoolish\nfoolish\n")
    path = author.folder / "policy.yaml"
    path.write_text(
        path.read_text().replace(
            "[words.yaml]",
            "[words.yaml, {file: own.txt, category: insult, severity: mild, action: flag}]",
        )
    )
    author.write("more.yaml", "towns: [Moor, Essex]\n")
    loaded = read_policy(path)
    found = {(p.kind, p.text) for p in problems(loaded, author.folder / "more.yaml")}
    kinds = {kind for kind, _ in found}
    assert {"terms that stand twice", "shadowed terms", "terms that hit harmless words"} <= kinds
    assert (
        "shadowed terms",
        "insult.mild#dd8c adds nothing to insult.own#49ae at own.txt:1:1",
    ) in found
    hits = {text for kind, text in found if kind == "terms that hit harmless words"}
    assert 'insult.mild#2534 hits "Moor" (towns, yours, read plain)' in hits
    assert any(text.startswith('insult.mild#bdbf hits "pitcher" (words') for text in hits)
    assert any("(common word, read plain)" in text for text in hits)
    path.write_text(path.read_text() + "lint: {may_hit: [MOOR]}\n")
    again = problems(read_policy(path), author.folder / "more.yaml")
    assert not any('"Moor"' in p.text for p in again)


def test_lint_never_found_and_regexes(author: Author) -> None:
    """A term that the allow-list covers, and an expression that costs too much."""
    author.write(
        "words.yaml",
        "category: insult\nrules:\n  mild:\n    severity: mild\n    action: flag\n"
        "    terms: [silly fools]\n    patterns: ['(fool|dolt){1,9}([a-z]{1,40}x){1,9}', 'essex']\n",
    )
    author.write("allow.txt", "silly fool\n")
    author.more("allow: allow.txt\n")
    found = {p.kind: p for p in lint(author)}
    text = "insult.mild#79d5 is never found: words of the allow-list cover it"
    assert found["terms that are never found"].text == text
    assert "insult.mild#3399 is a program of" in found["regex cost"].text
    assert 'insult.mild#adda hits "Essex' in found["terms that hit harmless words"].text
    assert found["unused categories"].text == "category slur: no term and no label is of it"


def test_lint_exit_codes(author: Author) -> None:
    """1 for errors and warnings; --json for programs."""
    result = call("lint", author.more(""), "--json", code=1)
    rows = json.loads(result.stdout)["problems"]
    assert {"level", "kind", "place", "text"} == set(rows[0])
