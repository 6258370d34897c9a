"""Small policies, written by the tests themselves, and the default one, loaded once."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inkguard.check.checker import Checker
from inkguard.policy.load import Loaded, load_policy, read_policy
from inkguard.policy.model import Policy

FILES = {
    "policy.yaml": """
        apiVersion: inkguard/v1
        name: test
        version: '1'
        categories: {insult: rude, slur: hateful}
        wordlists: [words.yaml]
        replacements: replacements.yaml
        """,
    "words.yaml": """
        category: insult
        rules:
          mild:
            severity: mild
            action: substitute
            terms: [idiot]
            exact: [shut up]
        """,
    "replacements.yaml": """
        words: {5: [apple], 6: [garden]}
        phrases: [look up]
        """,
}


class Author:
    """Writes policies into a folder of the test's own; texts that begin with a new line are dedented."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str, more: str = "") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_dedented(text) + _dedented(more), encoding="utf-8")
        return path

    def more(self, text: str, name: str = "policy.yaml") -> Path:
        """The small policy, or another of its files, with `text` at its end."""
        self.write(name, FILES[name], text)
        return self.folder / "policy.yaml"

    def load(self, text: str = "", name: str = "policy.yaml") -> Policy:
        return self.read(text, name).policy

    def read(self, text: str = "", name: str = "policy.yaml") -> Loaded:
        return read_policy(self.more(text, name))

    def extending(self, text: str, base: str = "policy.yaml") -> Policy:
        """A policy that extends the small one."""
        head = f"apiVersion: inkguard/v1\nname: own\nversion: '2'\nextends: {base}\n"
        return load_policy(self.write("own.yaml", head, text))

    def check(self, text: str, prompt: str, scorer: Any = None) -> Any:
        """The small policy's decision, with `text` at the policy's end."""
        return Checker(self.load(text), scorer).check(prompt)


def _dedented(text: str) -> str:
    return textwrap.dedent(text[1:]) if text.startswith("\n") else text


@pytest.fixture
def author(tmp_path: Path) -> Author:
    return Author(tmp_path)


@pytest.fixture(scope="session")
def default() -> Policy:
    return load_policy()


@pytest.fixture
def scoring() -> Callable[..., Any]:
    """Makes classifiers that know how much of an insult some texts are; others are none."""

    class Known:
        def __init__(self, **known: float) -> None:
            self.known = known

        def scores(self, texts: list[str]) -> list[dict[str, float]]:
            return [{"insult": self.known.get(text.replace(" ", "_"), 0.0)} for text in texts]

    return Known
