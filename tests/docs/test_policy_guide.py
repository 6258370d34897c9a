"""The guide for policy authors: what stands in it is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.snippets import problems, section, write_files

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs" / "guides"
GUIDE = ("policy.md", "policy-actions.md", "matching.md", "policy-commands.md")
GOOD = """
```yaml
# file: small.yaml
apiVersion: inkguard/v1
name: small
version: "1"
categories: {insult: rude}
wordlists: [{category: insult, rules: {mild: {severity: mild, action: flag, terms: [nitwit]}}}]
replacements: {words: {6: [garden]}}
tests: [{prompt: '"NITWIT"', action: flag}]
```
"""
SHOW = "```sh\ninkguard policy test small.yaml\n```\n```text\n%s\n```\n"


_LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What GitHub calls a page's headings."""
    headings = _HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each document has a folder of its own, and a plain terminal's output."""
    monkeypatch.chdir(tmp_path)
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize("name", GUIDE)
def test_guide(name: str) -> None:
    """Every policy and list loads, its tests pass, and every command does what the page says.

    Other pages extend policies of the first one.
    """
    write_files((GUIDES / GUIDE[0]).read_text(encoding="utf-8"))
    found = problems((GUIDES / name).read_text(encoding="utf-8"))
    assert not found, "\n".join(found)


def test_readme() -> None:
    """So does what the README says of policies, at the top of the repository."""
    Path("policies").symlink_to(ROOT / "policies")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = problems(section(text, "Policies"))
    assert not found, "\n".join(found)


def test_pictures() -> None:
    """The policies of the pictures are as the page says: one passes its tests, one is faulty."""
    for name in ("tour.yaml", "faulty.yaml"):
        Path(name).write_bytes((GUIDES / "policy" / name).read_bytes())
    commands = "inkguard policy test tour.yaml\ninkguard policy lint faulty.yaml  # exits 1\n"
    output = "1 of 1 tests passed\n…\n2 errors, 2 warnings, 2 notes\n"
    assert problems(f"```sh\n{commands}```\n```text\n{output}```\n") == []


@pytest.mark.parametrize("name", GUIDE)
def test_links_and_pictures(name: str) -> None:
    """Links lead to files and headings that are there."""
    page = GUIDES / name
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@pytest.mark.parametrize(
    ("markdown", "problem"),
    [
        (GOOD.replace("terms", "trems"), "did you mean terms?"),
        (GOOD.replace("# file: small.yaml\n", ""), "this block is no file"),
        (GOOD.replace("small.yaml", "small.yaml, which is refused"), "this policy loads"),
        (GOOD.replace("'\"NITWIT\"', action: flag", "'\"NITWIT\"', action: block"), "got flag"),
        (GOOD + SHOW % "2 of 2 tests passed", "what is printed is not what stands here"),
        (GOOD + "```sh\ninkguard policy test small.yaml  # exits 1\n```\n", "exit code 0"),
        (GOOD + "```sh\nfalse\n```\n", "false: exit code 1"),
        (GOOD + "```csv ours.csv\nterm\nnitwit\n```\n", "nothing reads ours.csv"),
        (GOOD + "```python\nprint()\n```\n", "this block is no file"),
        (GOOD + "```text\nprinted\n```\n", "this block is no file"),
    ],
)
def test_wrong_blocks_are_seen(markdown: str, problem: str) -> None:
    """A block that is wrong is told, with its line."""
    (found,) = problems(markdown)
    assert problem in found
    assert found.startswith("line ")


def test_right_blocks_pass() -> None:
    """Also where a part of the output is left out."""
    assert problems(GOOD + SHOW % "1 of … passed" + SHOW % "…") == []
