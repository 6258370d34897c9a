"""`inkguard policy ...` on small policies, as a user calls it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
import yaml
from rich.style import Style
from rich.text import Text

from inkguard.policy.load import load_policy
from tests.cli.policy.cli import TESTS, call

if TYPE_CHECKING:
    from tests.policy.conftest import Author


def test_show(author: Author) -> None:
    """The effective policy as YAML, with terms counted, or listed when asked."""
    author.extending("mode: shadow\n")
    path = author.folder / "own.yaml"
    text = call("show", path).stdout
    shown = yaml.safe_load(text)
    assert (shown["name"], shown["mode"]) == ("own", "shadow")
    assert f"# digest: {load_policy(path).digest}\n" in text
    rule = {"severity": "mild", "action": "substitute", "terms": 1, "exact": 1}
    assert shown["wordlists"] == [{"category": "insult", "rules": {"mild": rule}}]
    said = json.loads(call("show", path, "--json").stdout)
    assert said["extended"] == [str(author.folder / "policy.yaml")]
    assert said["digest"] == load_policy(path).digest
    listed = json.loads(call("show", path, "--terms", "--json").stdout)
    assert listed["wordlists"][0]["rules"]["mild"]["terms"] == ["idiot"]


def test_show_makes_a_policy(author: Author) -> None:
    """With --terms, what is printed needs no other file, and decides the same."""
    author.extending("mode: shadow\nwhole_prompt: {classifier: true}\n")
    path = author.folder / "own.yaml"
    again = author.write("shown.yaml", call("show", path, "--terms").stdout)
    one, other = load_policy(path), load_policy(again)
    assert one == replace(other, digest=one.digest)


@pytest.mark.parametrize(("said", "shown"), [("true", True), ("false", False), ("all", "all")])
def test_show_says_who_reads(author: Author, said: str, shown: object) -> None:
    """`verify` as it is written in a policy."""
    result = call("show", author.more(f"verify: {said}\n"), "--json")
    assert json.loads(result.stdout)["verify"] == shown


def test_tests_pass(author: Author) -> None:
    """Exit code 0 and a count."""
    result = call("test", author.more(TESTS))
    assert "2 of 2 tests passed" in result.stdout


def test_tests_fail(author: Author) -> None:
    """Exit code 1; reports and JUnit's XML name the place and the rules, never the prompt."""
    path = author.more(
        "mode: shadow\n" + TESTS + "  - {prompt: '\"SHUT UP\"', action: allow}\n"
        "  - {prompt: '\"SHUT UP\"', action: substitute, category: slur}\n"
        "  - {prompt: '\"SHUT UP\"', action: substitute, rule: insult.mild#49ae}\n"
    )
    xml = author.folder / "junit.xml"
    result = call("test", path, "--junit", xml, code=1)
    assert "2 of 5 tests passed" in result.stdout
    assert "expected allow, got substitute (findings: insult.mild#6541)" in result.stdout
    assert "SHUT" not in result.stdout + xml.read_text()
    suite = ElementTree.parse(xml).getroot()
    assert (suite.attrib["name"], suite.attrib["tests"]) == ("policy test", "5")
    assert suite.attrib["failures"] == "3"
    times = [float(case.attrib["time"]) for case in suite]
    assert min(times) > 0
    assert sum(times) == pytest.approx(float(suite.attrib["time"]), abs=1e-5)
    failed = {c.attrib["name"]: c[0].attrib["message"] for c in suite if len(c)}
    assert failed["policy.yaml:12:5"] == "expected a finding in slur, got insult"
    assert (
        failed["policy.yaml:13:5"] == "expected a finding of insult.mild#49ae, got insult.mild#6541"
    )


def test_a_file_of_prompts(author: Author) -> None:
    """Prompts with an action, or labelled toxic or harmless as the public set is."""
    rows: list[dict[str, Any]] = [
        {"prompt": '"IDIOT"', "label": "toxic", "category": "another set's"},
        {"prompt": "an idiot in the rain", "label": "harmless"},
        {"prompt": '"HELLO"', "action": "block"},
    ]
    prompts = author.write("prompts.jsonl", "\n".join(map(json.dumps, rows)))
    result = call("test", author.more(""), "--prompts", prompts, "--json", code=1)
    said = json.loads(result.stdout)
    assert (said["tests"], said["failed"]) == (3, 1)
    assert said["results"][2] == {
        "at": f"{prompts}:3",
        "action": "allow",
        "problem": "expected block, got allow (clean: -)",
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "this is not JSON"),
        ('{"text": "a"}', "expected an object with a string as prompt"),
        ('{"prompt": "secret", "action": "stop"}', "expected an action"),
        (
            '{"prompt": "secret", "action": "flag", "rule": "insult.mild/2"}',
            "ids by position are no longer taken",
        ),
    ],
)
def test_mistakes_exit_2(author: Author, line: str, message: str) -> None:
    """Bad prompts, policies and calls end with code 2 and the place."""
    prompts = author.write("prompts.jsonl", "\n\n" + line)
    arguments = ["policy", "test", author.more(""), "--prompts", prompts]
    command = [sys.executable, "-m", "inkguard", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert result.returncode == 2
    assert f"{prompts}:2: {message}" in result.stderr
    assert "secret" not in result.stderr


def test_no_tests_are_a_mistake(author: Author) -> None:
    """So that a pipeline that tests nothing does not pass."""
    call("test", author.more(""), code=2)


def test_explain(author: Author) -> None:
    """Each step is there: offsets under the prompt, readings, what matched and who decided."""
    path = author.more("rules:\n  - {name: house rule, when: {category: insult}, action: block}\n")
    text = call("explain", 'a sign that says "1D10T"', "--policy", path).stdout
    lines = text.splitlines()
    (at,) = [n for n, line in enumerate(lines) if line.startswith("     0  a sign")]
    assert lines[at + 1].rstrip() == " " * 26 + "^^^^^"
    assert lines[at][26:31] == "1D10T"
    for part in ("block  findings", "insult.mild#49ae", "words.yaml:6:13"):
        assert part in text
    assert re.search(r"18:23 +leet +idiot *\n", text)
    assert "rule house rule" in text


def test_explain_for_programs(author: Author) -> None:
    """--json has the readings and what decided each finding."""
    path = author.more("whole_prompt: {strictest: flag}\n")
    said = json.loads(
        call("explain", 'an idiot, "IDI" and "OT"', "--policy", path, "--json").stdout
    )
    assert said["action"] == "substitute"
    assert said["policy"]["digest"] == load_policy(path).digest
    assert {"where": "spans", "how": "joined", "text": "IDIOT"} in said["readings"]
    outside = said["decided"][0]
    assert outside == {
        **{"start": 3, "end": 8, "rule": "insult.mild#49ae", "source": "wordlist"},
        **{"span": "outside", "reading": "plain", "asked": "flag", "action": "flag", "by": None},
    }
    assert [d["source"] for d in said["decided"][1:]] == ["joined", "joined"]


PLAY = """
allow: allow.txt
rules:
  - {name: house rule for shouting, when: {span: unquoted}, action: block}
exceptions:
  - {name: a play on stage, owner: arts@example.com, reason: r, expires: 2999-01-01, text: Idiot Brothers}
"""
PROMPT = 'the "IDIOT BROTHERS", a "DICK VAN IDIOT" and a book saying SHUT UP'


def test_explain_says_why_not(author: Author) -> None:
    """The term that was seen is named with the allowed term that covers it, and where both stand."""
    author.write("allow.txt", "# names\ndick van idiot\n")
    path = author.more("allow: allow.txt\n")
    prompt = 'a poster "DICK VAN IDIOT"'
    text = call("explain", prompt, "--policy", path).stdout
    seen = text.partition("6 What was seen and let be\n")[2]
    for part in ("19:24  IDIOT  read plain", "(words.yaml:6:13), the term idiot"):
        assert part in seen
    assert "covered by the allowed term dick van idiot (allow.txt:2" in seen
    said = json.loads(call("explain", prompt, "--policy", path, "--json").stdout)
    assert said["action"] == "allow"
    (let_be,) = said["let_be"]
    assert (let_be["term"], let_be["why"]) == ("idiot", "allowed")
    assert let_be["allowed_at"].startswith(str(author.folder / "allow.txt"))


def test_explain_numbers_every_step(author: Author) -> None:
    """The steps are numbered without a gap, whether or not there is anything to say in one."""
    for prompt in ('"IDIOT"', "a cat"):
        text = call("explain", prompt, "--policy", author.more("")).stdout
        assert re.findall(r"^(\d) [A-Z]", text, re.MULTILINE) == list("1234567")
    assert "the policy has no thresholds for it" in text


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_explain_cuts_nothing(
    author: Author, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """On a narrow terminal lines are broken between words; all that decides can be read."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")
    author.write("allow.txt", "dick van idiot\n")
    shown = Text.from_ansi(call("explain", PROMPT, "--policy", author.more(PLAY)).stdout).plain
    own = shown.partition("2 Text to be drawn")[2]  # the prompt above is broken at its offsets
    assert max(map(len, own.splitlines())) <= columns
    assert "…" not in shown
    told = re.sub(r":\d+:\d+", "", " ".join(own.split()))
    for part in (
        "asked substitute, decided by rule house rule for shouting (policy.yaml): block",
        "decided by exception a play on stage (policy.yaml), arts@example.com, to 2999-01-01: allow",
        "covered by the allowed term dick van idiot (allow.txt)",
        "block: the strictest of 2, insult.mild",
    ):
        assert part in told


def test_explain_shows_what_was_found(author: Author, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the rest of a span is dim, and what was found in it is not."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = call("explain", 'a mug: "YOU IDIOT"', "--policy", author.more("")).stdout
    (line,) = [
        line for line in Text.from_ansi(text).split("\n") if line.plain.startswith("     0  ")
    ]
    dim = {line.plain[s.start : s.end] for s in line.spans if Style.parse(str(s.style)).dim}
    assert "YOU " in dim
    assert not any("IDIOT" in part for part in dim)


def test_explain_draws_a_picture(author: Author) -> None:
    """For the documentation: what is printed, as SVG."""
    svg = author.folder / "explain.svg"
    call("explain", "a cat with [brackets]", "--policy", author.more(""), "--svg", svg)
    assert "brackets" in svg.read_text()
    assert_self_contained(svg)


def assert_self_contained(svg: Path) -> None:
    """Whoever looks at the picture fetches nothing from another server."""
    text = svg.read_text()
    assert "url(http" not in text.replace('"', "")
    assert "@font-face" not in text
    assert set(re.findall(r"https?://[\w.]+", text)) <= {
        "http://www.w3.org",
        "https://www.textualize.io",
    }


def test_pictures_of_the_guide_are_self_contained() -> None:
    """Also those that are in the documentation."""
    for svg in sorted((Path(__file__).parents[3] / "docs").rglob("*.svg")):
        assert "@font-face" not in svg.read_text(encoding="utf-8"), svg.name


def test_lint_draws_a_picture(author: Author) -> None:
    """Likewise; and the level stands there in words, as colours are not seen by all."""
    svg = author.folder / "lint.svg"
    result = call("lint", author.more(""), "--svg", svg, code=1)
    assert_self_contained(svg)
    assert "unused categories (1 warning)" in result.stdout
    assert "tests (1 note)" in result.stdout


@pytest.mark.parametrize("command", ["lint", "test", "diff"])
def test_nothing_is_cut_at_80_columns(
    author: Author, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Ids, places and reasons go on in the next line of their cell."""
    monkeypatch.setenv("COLUMNS", "80")
    name = "a_rule_with_a_rather_long_name_that_somebody_gave_it"
    author.write(
        "words.yaml",
        f"category: insult\nrules:\n  {name}:\n    severity: mild\n    action: flag\n"
        "    terms: [moor, idiot]\n",
    )
    prompts = author.write("prompts.txt", '"IDIOT"\n')
    path = author.folder / "policy.yaml"
    path.write_text(path.read_text() + "tests: [{prompt: '\"IDIOT\"', action: allow}]\n")
    strict = author.write("strict.yaml", path.read_text() + "mode: enforce\n")
    strict.write_text(
        strict.read_text() + "rules: [{name: r, when: {category: insult}, action: block}]\n"
    )
    author.write("more.txt", "moor\n")
    arguments = {
        "lint": (path, "--harmless", author.folder / "more.txt"),
        "test": (path,),
        "diff": (path, strict, "--prompts", prompts),
    }[command]
    text = call(command, *arguments, code=1).stdout
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    cells = [line.split("│")[2] if line.startswith("│") else line for line in text.splitlines()]
    assert f"insult.{name}#" in re.sub(r"\s", "", "".join(cells))


def test_schema() -> None:
    """For editors of people who have installed the package: each kind of file has one."""
    for kind, key in (("policy", "apiVersion"), ("words", "rules"), ("replacements", "phrases")):
        assert key in json.loads(call("schema", kind).stdout)["properties"]
    assert json.loads(call("schema").stdout) == json.loads(call("schema", "policy").stdout)
    assert json.loads(call("schema", "allow").stdout)["type"] == "object"
    assert "did you mean words?" in re.sub(r"[\s│]+", " ", call("schema", "wrods", code=2).output)


def test_diff_with_the_shipped_policy(author: Author) -> None:
    """`default` is the shipped policy, as it is in `extends`, unless there is such a file."""
    prompts = author.write("prompts.txt", '"HELLO"\n')
    own = author.write(
        "own.yaml", "apiVersion: inkguard/v1\nname: a\nversion: '1'\nextends: default\n"
    )
    result = call("diff", "default", own, "--prompts", prompts, "--lists-only")
    assert "1 prompts: none changes" in result.stdout


def test_diff(author: Author) -> None:
    """What changes is counted by category and shown by example; nothing is an exit code of 0."""
    prompts = author.write("prompts.txt", 'a "HELLO"\n\n"IDIOT"\n"SHUT UP"\nan idiot\n')
    old = author.more("")
    new = author.write("new.yaml", old.read_text(), "allow: allow.txt\n")
    author.write("allow.txt", "shut up now\n")
    assert "4 prompts: none changes" in call("diff", old, new, "--prompts", prompts).stdout
    new.write_text(
        old.read_text() + "rules:\n  - {name: r, when: {span: outside}, action: block}\n"
        "exceptions: [{name: x, owner: o, reason: r, expires: 2999-01-01, rule: insult.mild#6541}]\n"
    )
    text = call("diff", old, new, "--prompts", prompts, code=1).stdout
    assert "4 prompts: 1 milder, 1 stricter" in text
    assert '3: "SHUT UP"' in text
    said = json.loads(call("diff", old, new, "--prompts", prompts, "--json", code=1).stdout)
    assert said["changed"] == 2
    group = {"category": "insult", "before": "flag", "after": "block", "count": 1, "prompts": [4]}
    assert group in said["groups"]


def test_diff_of_words(author: Author) -> None:
    """Other harmless words for the same action are a change too."""
    prompts = author.write("prompts.txt", '"IDIOT"\n')
    old = author.more("")
    new = author.write("new.yaml", old.read_text().replace("replacements.yaml", "masks.yaml"))
    author.write("masks.yaml", "words: {5: [apple]}\nstrategy: {use: mask}\n")
    text = call("diff", old, new, "--prompts", prompts, code=1).stdout
    assert "1 drawn with other words" in text
    assert 'now drawn: "*****"' in text


def test_import(author: Author) -> None:
    """An organisation's list becomes a word list that loads, without what is known already."""
    author.write("allow.txt", "cad bury\n")
    path = author.folder / "policy.yaml"
    path.write_text(path.read_text() + "allow: allow.txt\n")
    source = author.write(
        "ours.csv",
        "term,severity,match\nrotter,,\nRotter,,\ncad,severe,exact\nidiots,,\ncad bury,,\nno,,stems\n",
    )
    target = author.folder / "wordlists" / "ours.yaml"
    target.parent.mkdir()
    result = call(
        *("import", source, "--out", target, "--category", "insult"),
        *("--policy", path, "--locale", "en"),
    )
    assert "3 taken, 1 twice, 1 allowed, 1 found already" in result.stdout
    path.write_text(path.read_text().replace("[words.yaml]", "[words.yaml, wordlists/ours.yaml]"))
    policy = load_policy(path)
    own = {e.term: e for e in policy.terms if "/ours" in f"/{e.rule.partition('.')[2]}"}
    assert set(own) == {"rotter", "cad", "no"}
    assert own["cad"].matching.value == "exact"
    assert policy.list_rules["insult.ours_severe_substitute"].locale == "en"
    call("import", source, "--out", target, "--category", "insult", code=2)


@pytest.mark.parametrize(
    "more",
    [("--category", "insults"), ("--category", "insult", "--severity", "mlid")],
)
def test_import_mistakes(author: Author, more: tuple[str, ...]) -> None:
    """Unknown values are refused before anything is written."""
    source, target = author.write("ours.txt", "rotter\n"), author.folder / "out.yaml"
    call("import", source, "--out", target, "--policy", author.more(""), *more, code=2)
    assert not target.exists()


def test_import_counts_terms(author: Author) -> None:
    """Every term that is written, also where several are matched alike."""
    source = author.write("ours.txt", "rotter\ncad\nbounder\n")
    target = author.folder / "out.yaml"
    arguments = ("import", source, "--out", target, "--category", "insult")
    result = call(*arguments, "--policy", author.more(""))
    assert "3 taken" in result.stdout
    assert yaml.safe_load(target.read_text())["rules"]["ours"]["terms"] == [
        "rotter",
        "cad",
        "bounder",
    ]


def test_import_tells_every_bad_row(author: Author) -> None:
    """With the row of the list that is imported, and nothing is written."""
    source = author.write("ours.csv", "term,severity\nrotter,Moderate\ncad,\n!!,\n")
    target = author.folder / "out.yaml"
    arguments = ["policy", "import", source, "--out", target, "--category", "insult"]
    command = [sys.executable, "-m", "inkguard", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert result.returncode == 2
    assert f"{source}:2:1: severity: expected one of: mild" in result.stderr
    assert f"{source}:4:1: a term needs a letter or digit" in result.stderr
    assert not target.exists()
