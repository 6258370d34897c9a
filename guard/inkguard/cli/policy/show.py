"""`inkguard policy show`: the policy that results from everything that it extends."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
import yaml
from rich.syntax import Syntax

from inkguard.cli.policy.common import Json, PolicyArgument, out
from inkguard.policy.effective import effective
from inkguard.policy.load import Loaded, read_policy

__all__ = ["show"]


def show(
    policy: PolicyArgument = None,
    terms: Annotated[
        bool, typer.Option("--terms", help="Also the terms, which are offensive words.")
    ] = False,
    as_json: Json = False,
) -> None:
    """The effective policy, after all that it extends, with its digest and files.

    With --terms it is a policy file of its own, which needs no other.
    """
    loaded = read_policy(policy)
    data, about = effective(loaded.policy, terms), _about(loaded)
    if as_json:
        print(json.dumps({**about, **data}, ensure_ascii=False))
        return
    head = "".join(f"# {key}: {_told(value)}\n" for key, value in about.items())
    text = head + yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)
    console = out()
    if console.is_terminal:
        console.print(Syntax(text, "yaml", background_color="default", word_wrap=True))
    else:
        print(text, end="")


def _about(loaded: Loaded) -> dict[str, Any]:
    return {
        "digest": loaded.policy.digest,
        "extended": [str(path) for path in loaded.chain[1:]],
        "files": [str(path) for path in loaded.policy.files],
    }


def _told(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value) or "-"
