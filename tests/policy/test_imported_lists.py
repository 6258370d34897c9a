from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from inkguard.check.checker import Checker
from inkguard.errors import PolicyError
from inkguard.policy.load import load_policy, read_policy
from inkguard.types import Action, Severity

if TYPE_CHECKING:
    from inkguard.policy.load import Loaded
    from tests.policy.conftest import Author

HEAD = "apiVersion: inkguard/v1\nname: own\nversion: '1'\nextends: policy.yaml\n"
SPEC = "wordlists:\n  - {file: %s, category: insult, severity: mild, action: block%s}\n"


def read(author: Author, file: str, text: str, more: str = "") -> Loaded:
    author.write(file, text)
    return read_policy(author.write("own.yaml", HEAD + SPEC % (file, more)))


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("own.txt", "# ours\nrotter\n\n  cad  \n"),
        ("own.csv", "term\nrotter\ncad\n"),
        ("own.csv", '\ufeffterm,severity\r\n"rotter",mild\r\n\r\ncad,\r\n'),
        ("own.json", '["rotter", "cad"]'),
        ("own.json", '[{"term": "rotter"}, {"term": "cad", "match": "terms"}]'),
    ],
)
def test_formats(author: Author, file: str, text: str) -> None:
    """One term per line, CSV and JSON give the same terms."""
    policy = read(author, file, text).policy
    own = [e for e in policy.terms if e.rule.startswith("insult.own#")]
    assert [(e.term, e.rule) for e in own] == [
        ("rotter", "insult.own#de28"),
        ("cad", "insult.own#12bc"),
    ]
    assert {(e.severity, e.action) for e in own} == {(Severity.MILD, Action.BLOCK)}
    assert Checker(policy, None).check('"ROTTERS"').action is Action.BLOCK


def test_rows_say_more(author: Author) -> None:
    """A row's own severity, action, category and match go over what the policy says of the list."""
    text = "term,category,severity,action,match\nrotter,,,flag,\ncad,slur,severe,,exact\n"
    policy = read(author, "own.csv", text, ", name: shop, locale: en").policy
    by_term = {e.term: e for e in policy.terms}
    assert by_term["rotter"].action is Action.FLAG
    cad = by_term["cad"]
    assert (cad.rule, cad.severity, cad.action) == ("slur.shop#90b3", Severity.SEVERE, Action.BLOCK)
    assert cad.matching.value == "exact"
    assert policy.list_rules["slur.shop"].locale == "en"


def test_an_own_list_wins(author: Author) -> None:
    """Over the policy's YAML lists and its allow-lists; within the list, the first row holds."""
    author.write("own.txt", "Idiot\ncad\nCAD\n")
    author.write("allow.txt", "idiot\n")
    text = SPEC.replace("]", "") % ("own.txt", "")
    author.more("")
    path = author.folder / "policy.yaml"
    whole = path.read_text().replace("wordlists: [words.yaml]\n", text + "  - words.yaml\n")
    path.write_text(whole + "allow: allow.txt\n")
    loaded = read_policy(path)
    assert Checker(loaded.policy, None).check('"IDIOT"').action is Action.BLOCK
    assert [(r.rule, r.other_rule) for r in loaded.replaced] == [
        ("insult.own#12bc", "insult.own#12bc"),
        ("insult.own#49ae", "insult.mild#49ae"),
        ("insult.own#49ae", None),
    ]


def test_allowed_words_of_an_organisation(author: Author) -> None:
    """Allow-lists come in the same formats."""
    author.write("brands.csv", "term\nIdiot Juice\n")
    author.write("more.json", '["Shut Up Club"]')
    path = author.write("own.yaml", HEAD + "allow: [brands.csv, more.json]\n")
    checker = Checker(load_policy(path), None)
    assert checker.check('"IDIOT JUICE" "SHUT UP CLUB"').action is Action.ALLOW
    assert checker.check('"IDIOT"').action is Action.SUBSTITUTE


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("own.csv", "term,severty\na,mild\n", "1:1: unknown column; .*mean severity"),
        ("own.csv", "severity\nmild\n", "1:1: the header needs a column term"),
        ("own.csv", "", "1:1: the header needs a column term"),
        ("own.csv", "term,severity\na\n", "2:1: 1 values for 2 columns"),
        ("own.csv", "term,severity\na,mlid\n", "2:1: severity: expected one of: .*mean mild"),
        ("own.csv", "term,category\na,insults\n", "2:1: category: the policy has: .*mean insult"),
        ("own.csv", 'term\n"a\n', "2:1: this is not CSV"),
        ("own.csv", "term\n!!\n", "2:1: a term needs a letter or digit"),
        ("own.json", "{}", "1:1: expected a list of terms"),
        ("own.json", '["a",\n b]', "2:2: this is not JSON"),
        ("own.json", "[3]", "1:1: item 1: expected a string"),
        ("own.json", '["a", {"word": "b"}]', "1:1: item 2: unknown key"),
        ("own.json", '[{"severity": "mild"}]', "1:1: item 1: missing key: term"),
        ("own.txt", "fine\n!!\n", "2:1: a term needs a letter or digit"),
    ],
)
def test_refused(author: Author, file: str, text: str, message: str) -> None:
    """A list that is not understood is refused with its line."""
    with pytest.raises(PolicyError) as caught:
        read(author, file, text)
    assert re.match(rf"{re.escape(str(author.folder))}/{file}:{message}", str(caught.value))


@pytest.mark.parametrize(("file", "message"), [("own.txt", "no terms"), ("own.xls", "named .txt")])
def test_not_a_list(author: Author, file: str, message: str) -> None:
    """An empty list, or a file of another format."""
    with pytest.raises(PolicyError, match=message):
        read(author, file, "")


def test_patterns(author: Author) -> None:
    """Regular expressions read folded text, as far as RE2 goes; what is allowed is no match."""
    author.more("    patterns: ['\\bkill (all|every)\\b']\n", "words.yaml")
    author.write("allow.txt", "kill every\n")
    path = author.folder / "policy.yaml"
    path.write_text(path.read_text() + "allow: allow.txt\n")
    checker = Checker(load_policy(path), None)
    prompt = 'a flag: "now KÍLL ALL" and "kill every"'
    decision = checker.check(prompt)
    (finding,) = decision.findings
    assert (finding.rule, finding.text, finding.source) == (
        "insult.mild#19c2",
        "KÍLL ALL",
        "wordlist",
    )
    assert prompt[finding.start : finding.end] == finding.text
    assert decision.action is Action.SUBSTITUTE
    assert checker.check("they kill all in the rain").action is Action.FLAG
    assert checker.check('"kill alligators"').action is Action.ALLOW
