"""What holds for every Markdown page: words, lines, links, and a way to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.sentence_lines import pages, reflowed

ROOT = Path(__file__).resolve().parents[2]
PAGES = [str(page.relative_to(ROOT)) for page in pages()]

_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CODE = re.compile(r"```.*?```", re.DOTALL)
_OF_THE_MAKING = re.compile(
    r"\bissues? #?\d+|\.\./shared|/work/|\b(?:was|were) lent\b|\b(?:this|earlier|our) session\b"
    r"|\bwhat stands\b|\bDESIGN section",
    re.IGNORECASE,
)
"""Words that only the people who made inkguard understand."""
_DANGLING = re.compile(r"\bissues? #?\d+|\.\./shared|\bDESIGN section", re.IGNORECASE)


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """What GitHub calls a page's headings."""
    headings = _HEADING.findall(_CODE.sub("", page.read_text(encoding="utf-8")))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_nothing_of_how_it_was_made(page: str) -> None:
    """A stranger has no issue tracker of ours, and no folder beside the repository."""
    assert _OF_THE_MAKING.findall(text_of(page)) == []


def test_no_source_points_out_of_the_repository() -> None:
    """Docstrings and comments are read by the same strangers."""
    folders = ("guard", "server", "training", "bench", "tools", "tests", "examples", "policies")
    sources = [p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in {".py", ".yaml"}]
    found = {
        str(source.relative_to(ROOT))
        for source in sources
        if source != Path(__file__) and _DANGLING.search(source.read_text(encoding="utf-8"))
    }
    assert found == set()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_one_sentence_a_line(page: str) -> None:
    """Otherwise: python -m tools.sentence_lines."""
    assert text_of(page) == reflowed(text_of(page))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """To files and headings that are there."""
    here = ROOT / page
    for target in _LINK.findall(_CODE.sub("", text_of(page))):
        path, _, anchor = target.partition("#")
        file = (here.parent / path).resolve() if path else here
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_every_page_can_be_reached() -> None:
    """From the README, by links alone."""
    reached, new = set(), {(ROOT / "README.md").resolve()}
    while new:
        page = new.pop()
        reached.add(page)
        for target in _LINK.findall(page.read_text(encoding="utf-8")):
            file = (page.parent / target.partition("#")[0]).resolve()
            if file.suffix == ".md" and file.exists() and file not in reached:
                new.add(file)
    docs = {p.resolve() for p in pages() if p.parts[len(ROOT.parts)] in ("docs", "examples")}
    assert sorted(docs - reached) == []


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("One. Two.", ["One.", "Two."]),
        ("- One. Two\n  goes on.", ["- One.", "  Two goes on."]),
        ("See Li et al. 2025, e.g. Table 2.", ["See Li et al. 2025, e.g. Table 2."]),
        ("`a. B` stays (One. Two.). Three.", ["`a. B` stays (One. Two.).", "Three."]),
        ("```sh\nOne. Two.\n```", ["```sh", "One. Two.", "```"]),
        ("| a |\n|---|\n| One. Two. |", ["| a |", "|---|", "| One. Two. |"]),
    ],
)
def test_sentences_are_told_apart(text: str, lines: list[str]) -> None:
    """Code, tables, brackets and abbreviations end no sentence."""
    assert reflowed(text).split("\n") == lines
