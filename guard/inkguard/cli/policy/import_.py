"""`inkguard policy import`: an organisation's list as a word list in the policy's own format."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.text import Text

from inkguard.cli.policy.common import Json, PolicyOption, out
from inkguard.errors import InvalidInput
from inkguard.match.matcher import Matching
from inkguard.match.term_pattern import words_of
from inkguard.policy.imported_lists import Row, read_rows
from inkguard.policy.load import read_policy
from inkguard.policy.model import Policy
from inkguard.policy.schema_types import meant
from inkguard.policy.yaml_positions import Mistakes
from inkguard.types import Action, Severity

__all__ = ["import_"]

_KINDS: dict[str, type[enum.Enum]] = {"severity": Severity, "action": Action, "match": Matching}


def import_(
    source: Annotated[
        Path,
        typer.Argument(help="Terms, one a line (.txt), or .csv or .json.", show_default=False),
    ],
    target: Annotated[
        Path, typer.Option("--out", help="The word list to write; it must not be there yet.")
    ],
    category: Annotated[str, typer.Option(help="The category of terms that name none.")],
    severity: Annotated[str, typer.Option(help="Likewise: mild, moderate or severe.")] = "moderate",
    action: Annotated[str, typer.Option(help="Likewise: what the policy asks for.")] = "substitute",
    match: Annotated[str, typer.Option(help="Likewise: terms, exact or stems.")] = "terms",
    name: Annotated[
        str | None, typer.Option(help="For the ids. [default: the file's name]")
    ] = None,
    locale: Annotated[
        str | None, typer.Option(help="The terms' language, for instance de.")
    ] = None,
    policy: PolicyOption = None,
    as_json: Json = False,
) -> None:
    """Write a word list from an organisation's own list, without what the policy already finds.

    Terms that are in the policy's lists or its allow-lists are left out and counted.
    """
    if target.exists():
        raise typer.BadParameter(f"--out {target}: the file is already there")
    loaded = read_policy(policy).policy
    if category not in loaded.categories:
        raise typer.BadParameter(f"--category: {meant(category, loaded.categories, 'there are')}")
    defaults = {"severity": severity, "action": action, "match": match}
    for option, value in defaults.items():
        names = [str(member.value) for member in _KINDS[option]]
        if value not in names:
            raise typer.BadParameter(f"--{option}: {meant(value, names, 'expected one of')}")
    imported = Imported(loaded, defaults, category)
    try:
        mistakes = Mistakes()
        for row in read_rows(source, source.read_bytes(), mistakes):
            imported.take(row, mistakes)
        mistakes.raise_any()
    except OSError as error:
        raise InvalidInput(str(source), error.strerror or "cannot be read") from None
    taken = sum(len(terms) for group in imported.terms.values() for terms in group.values())
    if taken:
        text = imported.text(name or source.stem, locale, source.name)
        try:
            target.write_text(text, encoding="utf-8")
        except OSError as error:
            raise typer.BadParameter(f"--out {target}: {error.strerror}") from None
    counts = {"taken": taken, **imported.left_out}
    if as_json:
        print(json.dumps({"out": str(target) if taken else None, **counts}))
    else:
        told = ", ".join(f"{number} {what.replace('_', ' ')}" for what, number in counts.items())
        out().print(Text(f"{target if taken else 'nothing was written'}: {told}"), soft_wrap=True)


class Imported:
    """The terms that are new to a policy, by what is said of them."""

    def __init__(self, policy: Policy, defaults: dict[str, str], category: str) -> None:
        self._policy, self._defaults, self._category = policy, defaults, category
        self._seen: set[str] = set()
        self.terms: dict[tuple[str, str], dict[str, list[str]]] = {}
        self.left_out = {"twice": 0, "allowed": 0, "found_already": 0}

    def take(self, row: Row, mistakes: Mistakes) -> None:
        """A row that cannot be used is noted as a mistake."""
        said = {**self._defaults, **row.more}
        if said.pop("category", self._category) != self._category:
            mistakes.add(
                row.place,
                "category: this import is for one category; split the list, or name it in the policy as it "
                "is (file: ...)",
            )
            return
        for column, kind in _KINDS.items():
            names = [str(member.value) for member in kind]
            if said[column] not in names:
                problem = f"{column}: {meant(said[column], names, 'expected one of')}"
                mistakes.add(row.place, problem)
        words = " ".join(words_of(row.term))
        if not words:
            mistakes.add(row.place, "a term needs a letter or digit")
            return
        if why := self._known(row.term, words, said["action"]):
            self.left_out[why] += 1
            return
        self._seen.add(words)
        group = self.terms.setdefault((said["severity"], said["action"]), {})
        group.setdefault(said["match"], []).append(row.term)

    def _known(self, term: str, words: str, action: str) -> str | None:
        if words in self._seen:
            return "twice"
        if self._policy.matcher.allows(term):
            return "allowed"
        length = len(term)
        for match in self._policy.matcher.find(term):
            if match.end - match.start >= length and str(match.entry.action) == action:
                return "found_already"
        return None

    def text(self, name: str, locale: str | None, source: str) -> str:
        """The word list, whose rules are called after the severity and action where there are several."""
        rules: dict[str, Any] = {}
        for (severity, action), terms in self.terms.items():
            key = name if len(self.terms) == 1 else f"{name}_{severity}_{action}"
            rules[key] = {"severity": severity, "action": action, **terms}
        head = {"category": self._category, **({"locale": locale} if locale else {})}
        body = yaml.safe_dump(
            {**head, "rules": rules}, sort_keys=False, allow_unicode=True, width=100
        )
        return f"# This file holds offensive words as data. Imported from {source}.\n{body}"
