"""docs/reference/policy-keys.md and the JSON schemas in policies/, from the policy language's models: `python -m tools.policy_page`."""

from __future__ import annotations

import enum
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from inkguard.policy import schema
from inkguard.policy.json_schema import KINDS, schema_text
from inkguard.policy.rules import Condition, PolicyException, Rule, ScoreRange
from tools.sentence_lines import reflowed

__all__ = ["PAGE", "policy_page", "schema_files"]

_ROOT = Path(__file__).parents[1]
PAGE = _ROOT / "docs" / "reference" / "policy-keys.md"
_HEAD = """\
# Keys of policies and lists

`make pages` makes this page from `guard/inkguard/policy/schema.py`, and the JSON schemas that `inkguard policy schema` prints.
[Policies](../guides/policy.md) and [what is done with a finding](../guides/policy-actions.md) explain the keys.

An unknown key is an error.
Text that YAML reads as something else (`no`, `on`, `1488`, a date) needs quotes.
"""
_PARTS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("A policy file", schema.PolicyFile),
    ("`rules`: each", Rule),
    ("`rules`: `when`", Condition),
    ("`rules`: `when`: `score`", ScoreRange),
    ("`exceptions`: each", PolicyException),
    ("`detoxify`: each label", schema.Threshold),
    ("`extraction`", schema.Extraction),
    ("`whole_prompt`", schema.WholePrompt),
    ("`on_error`", schema.OnError),
    ("`tests`: each", schema.PolicyTest),
    ("`lint`", schema.Lint),
    ("A word list", schema.WordList),
    ("A word list: each of `rules`", schema.TermGroup),
    ("A list of your organisation", schema.OrganisationList),
    ("Replacements", schema.ReplacementLists),
    ("Replacements: a strategy", schema.Strategy),
)


def policy_page() -> str:
    """The page's text."""
    parts = [_HEAD]
    for title, model in _PARTS:
        said = " ".join((model.__doc__ or "").split())
        parts.append(f"## {title}\n\n{said}\n\n" + "\n".join(_table(model)))
    allow = " ".join((schema.AllowGroups.__doc__ or "").split())
    parts.append(
        f"## An allow-list\n\n{allow} The keys are the groups' names, the values lists of text."
    )
    return reflowed("\n\n".join(part.rstrip("\n") for part in parts) + "\n")


def schema_files() -> dict[Path, str]:
    """The JSON schemas beside the shipped policy, by path."""
    folder = _ROOT / "policies"
    names = {kind: f"{kind}.schema.json" for kind in KINDS} | {"policy": "schema.json"}
    return {folder / name: schema_text(kind) for kind, name in names.items()}


def _table(model: type[BaseModel]) -> Iterator[str]:
    layered = model is schema.PolicyFile
    more = " where a policy extends another |" if layered else ""
    yield f"| key | value | if left out | what it says |{more}"
    yield "|---|---|---|---|" + "---|" * layered
    for name, field in model.model_fields.items():
        cells = [f"`{field.alias or name}`", _value(field.annotation), _default(field)]
        cells.append((field.description or "").replace("|", "\\|"))
        if layered:
            cells.append(next(m.value for m in field.metadata if isinstance(m, schema.Layered)))
        yield f"| {' | '.join(cells)} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default()
    if isinstance(value, enum.Enum):
        return f"`{value.value}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float | str) and value:
        return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"
    if isinstance(value, BaseModel) and not isinstance(value, schema.ReplacementLists):
        return "see there"
    return "none"


def _value(kind: Any) -> str:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _value(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_value(a) for a in arguments if a is not type(None)))
    if origin is typing.Literal:
        return ", ".join(f"`{a}`" for a in arguments)
    if origin is dict:
        return f"mapping to {_value(arguments[1])}"
    if origin is frozenset:
        return f"{_value(arguments[0])}; one or a list"
    if origin in (tuple, list):
        return f"list of {_value(arguments[0])}"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return ", ".join(f"`{member.value}`" for member in kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "mapping" if kind is not schema.Strategy else "strategy"
    names = {str: "text", bool: "`true`, `false`", float: "0 to 1", int: "whole number"}
    return names.get(kind, re.sub(r"(?<!^)(?=[A-Z])", " ", getattr(kind, "__name__", "")).lower())


if __name__ == "__main__":
    PAGE.write_text(policy_page(), encoding="utf-8")
    for path, text in schema_files().items():
        path.write_text(text, encoding="utf-8")
