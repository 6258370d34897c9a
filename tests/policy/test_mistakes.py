"""What is told of a policy with mistakes: all of them, each with its place, in our own words."""

from __future__ import annotations

import pickle
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inkguard.check.checker import Checker
from inkguard.errors import PolicyError
from inkguard.policy.load import load_policy, read_policy
from inkguard.types import Action

if TYPE_CHECKING:
    from pathlib import Path

    from tests.policy.conftest import Author

SEVERAL = """
    mode: shadwo
    whole_promt: {}
    detoxify:
      insult: {threshold: 2, category: insults, severity: mild}
    rules:
      - {name: a, when: {category: slurs, sevrity: mild}, action: flag}
      - {name: a, when: {}, action: flagg}
    exceptions:
      - {name: x, owner: me, reason: why, expires: soon, rule: insult.mald}
    tests:
      - {prompt: '', action: allow}
    """
PYDANTIC = re.compile(
    r"[Ii]nput|\bshould\b|permitted|validation|[Ff]ield required|pydantic|valid \w+|<\w+>|_type|this is not what"
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from(["x", "'1'", "2030-01-01", "-1", "1.5", ".nan", "yes", "''", "default"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "use",
                    "words",
                    "when",
                    "name",
                    "score",
                    "file",
                    "category",
                    "rules",
                    "1",
                    "x",
                    "null",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
KEYS = (
    *("categories", "wordlists", "replacements", "allow", "compound_parts", "detoxify", "rules"),
    *("match", "exceptions", "extraction", "whole_prompt", "on_error", "verify", "mode", "tests"),
    *("lint", "extends", "name", "version", "apiVersion"),
)


def told(path: Path) -> list[str]:
    """The lines of the refusal, without the folder."""
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    assert str(caught.value).splitlines() == [": ".join(m) for m in caught.value.mistakes]
    return str(caught.value).replace(f"{path.parent}/", "").splitlines()


def flow(value: Any) -> str:
    """A value in YAML's flow style, with text as it stands."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return {None: "null", True: "true", False: "false"}.get(value, str(value))


def test_all_mistakes_are_told(author: Author) -> None:
    """One run tells everything that is wrong with a file, from its top to its end."""
    lines = told(author.more(SEVERAL))
    starts = [
        "policy.yaml:7:7: expected one of: enforce, shadow (did you mean shadow?)",
        "policy.yaml:8:1: unknown key; known here: allow, ",
        "policy.yaml:10:11: missing key: action",
        "policy.yaml:10:23: expected a number from 0 to 1",
        "policy.yaml:10:36: the policy has no such category; it has: insult, slur (did",
        "policy.yaml:12:32: the policy has no such category; it has: insult, slur (did",
        "policy.yaml:12:39: unknown key; known here: category, locale, score, severity, ",
        "policy.yaml:13:12: another rule has this name",
        "policy.yaml:13:33: expected one of: allow, flag, substitute, block (did you mean flag?)",
        "policy.yaml:15:48: expected a date: YYYY-MM-DD",
        "policy.yaml:15:60: the policy has no such rule; it has: detoxify, detoxify.insult, ",
        "policy.yaml:17:14: expected a string that is not empty",
    ]
    assert [line[: len(start)] for line, start in zip(lines, starts, strict=True)] == starts


def test_mistakes_of_all_files(author: Author) -> None:
    """Lists that a policy names are read to their ends too; what hangs on them is not told twice."""
    author.write(
        "words.yaml",
        "category: insults\nrules: {mild: {severity: mild, action: flog, terms: [no, rotter]}}\n",
    )
    author.write("house.csv", "term,severity\n!!,\nrotter,mlid\ncad\n")
    author.write("replacements.yaml", "words: {5: [pear]}\nstrategy: {use: msk}\n")
    path = author.folder / "policy.yaml"
    text = path.read_text().replace(
        "[words.yaml]",
        "[words.yaml, {file: house.csv, category: insult, severity: mild, action: flag}]",
    )
    path.write_text(text + "tests: [{prompt: p, action: flag, rule: insult.mild}]\n")
    places = [": ".join(line.split(": ")[:1]) for line in told(path)]
    assert places == [
        "words.yaml:1:11",
        "words.yaml:2:40",
        "words.yaml:2:54",
        "house.csv:2:1",
        "house.csv:3:1",
        "house.csv:4:1",
        "replacements.yaml:2:17",
    ]


def test_an_error_has_fields(author: Author) -> None:
    """For programs: the place and the problem of each mistake, also after a journey to another process."""
    with pytest.raises(PolicyError) as caught:
        author.load("mode: shadwo\nverify: perhaps\n")
    error = caught.value
    assert error.place == f"{author.folder}/policy.yaml:7:7"
    assert error.problem.startswith("expected one of: enforce")
    assert error.mistakes[1] == (
        f"{author.folder}/policy.yaml:8:9",
        "expected true, false or all",
    )
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.mistakes) == (str(error), error.mistakes)


def test_many_mistakes_are_not_all_printed(author: Author) -> None:
    """A list of which every row is wrong does not fill the screen."""
    author.write("house.csv", "term,severity\n" + "a\n" * 90)
    spec = "{file: house.csv, category: insult, severity: mild, action: flag}"
    with pytest.raises(PolicyError) as caught:
        author.extending(f"wordlists: [{spec}]\n")
    assert len(caught.value.mistakes) == 90
    assert str(caught.value).splitlines()[-1] == "and 40 more"


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200
)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4))
def test_no_foreign_words_reach_a_user(author: Author, said: dict[str, Any]) -> None:
    """Whatever stands in a policy, it loads or is refused in our own words, with a place."""
    base = {"name": "n", "version": "'1'", "apiVersion": "inkguard/v1"}
    data = {**base, "categories": {"x": "y"}, **said}
    text = "".join(f"{key}: {flow(value)}\n" for key, value in data.items())
    path = author.write("any.yaml", text)
    try:
        load_policy(path)
    except PolicyError as error:
        for place, problem in error.mistakes:
            assert re.fullmatch(r".*:\d+:\d+", place)
            assert not PYDANTIC.search(problem), problem


@pytest.mark.parametrize(
    ("text", "told_at", "why"),
    [
        ("rules:\n\t- a\n", "2:1", "a tab; indent with spaces"),
        ("lint:\n  may_hit:\n  \t- a\n", "3:3", "a tab; indent with spaces"),
        ("mode: shadow\n verify: true\n", "2:8", "indented further than the one before it"),
        ("lint:\n    may_hit: [a]\n  more: 1\n", "3:3", "the indentation of this line fits no"),
        (
            "tests:\n  - {prompt: 'that's', action: flag}\n",
            "2:20",
            "the text in quotes ends before",
        ),
        ('name: "say "hi" now"\n', "1:13", "the text in quotes ends before"),
        ("name: a: b: c\n", "1:8", "a second colon"),
        ("name: see: this\n", "1:10", "a second colon"),
        ("name: @home\n", "1:7", "text that begins with this sign"),
        ("name: 'home\n", "2:1", "before a bracket or a quote is closed"),
        ("name: a\x07b\n", "1:8", "a control character"),
    ],
)
def test_why_it_is_not_yaml(tmp_path: Path, text: str, told_at: str, why: str) -> None:
    """The mistakes that beginners make are named; the line is not quoted."""
    path = tmp_path / "p.yaml"
    path.write_text(text)
    (line,) = told(path)
    assert line.startswith(f"p.yaml:{told_at}: this is not YAML: ")
    assert why in line
    assert "that's" not in line


@pytest.mark.parametrize(
    ("name", "data", "place"),
    [
        ("words.yaml", "category: insult\n# \u00fc\n# caf\xe9\n".encode("latin-1"), "2:3"),
        ("words.yaml", b"category: insult\nrules: {m: {terms: [caf\xe9]}}\n", "2:24"),
    ],
)
def test_another_encoding(author: Author, name: str, data: bytes, place: str) -> None:
    """The place is that of the first character which is not UTF-8."""
    author.more("")
    (author.folder / name).write_bytes(data)
    (line,) = told(author.folder / "policy.yaml")
    assert line.startswith(f"{name}:{place}: this is not text in UTF-8")


def test_another_encoding_of_an_organisations_list(author: Author) -> None:
    """Likewise: the line of the list."""
    (author.folder / "house.txt").write_bytes(b"rotter\ncad\ncaf\xe9\n")
    spec = "{file: house.txt, category: insult, severity: mild, action: flag}"
    with pytest.raises(PolicyError, match=r"house\.txt:3:4: this is not text in UTF-8"):
        author.extending(f"wordlists: [{spec}]\n")


@pytest.mark.parametrize("key", ["locale", "text", "rule"])
def test_an_empty_value_is_not_left_out(author: Author, key: str) -> None:
    """What stands there empty may have been meant to be something: an exception would be wider."""
    if key == "locale":
        path = author.more(
            "  m: {severity: mild, action: flag, terms: [cad], locale: }\n", "words.yaml"
        )
    else:
        head = "exceptions:\n  - {name: x, owner: o, reason: r, expires: 2030-01-01, "
        other = {"text": "rule: insult", "rule": "text: a"}[key]
        path = author.more(f"{head}{other}, {key}: }}\n")
    (line,) = told(path)
    assert "expected a string" in line


def test_aliases(author: Author) -> None:
    """What an alias stands for is read once, so that a few lines cannot take all memory."""
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 28)]
    found = told(author.more("\n".join(lines) + "\n"))
    assert all("unknown key" in line for line in found)
    assert "expected a list" in told(author.more("rules: &r {a: *r}\n"))[0]


@pytest.mark.parametrize(
    "allow",
    [
        "Idiot Juice",
        "[Idiot Juice, Shut Up Club]",
        "{brands: [Idiot Juice]}",
        "[{b: [Idiot Juice]}]",
    ],
)
def test_allowed_words_in_place(author: Author, allow: str) -> None:
    """Single ones, lists and groups as in a file; what does not end like a file's name is a word."""
    checker = Checker(author.load(f"allow: {allow}\n"), None)
    assert checker.check('"IDIOT JUICE"').action is Action.ALLOW
    assert checker.check('"IDIOT"').action is Action.SUBSTITUTE


def test_allowed_words_in_place_have_places(author: Author) -> None:
    """The very same word cannot be a term and allowed in one policy."""
    assert (
        "policy.yaml:7:21: this term stands already at"
        in told(author.more("allow: [Essex Road, Idiot]\n"))[0]
    )
    assert read_policy(author.more("allow: [Essex Road]\n")).policy.allow == ("Essex Road",)


def test_a_file_with_another_ending_is_no_word(author: Author) -> None:
    """Else its name would be allowed, and what stands in it would not."""
    author.write("brands.lst", "Idiot Juice\n")
    (line,) = told(author.more("allow: brands.lst\n"))
    assert line.startswith("policy.yaml:7:8: expected a file named .yaml, .txt, .csv, .json")
